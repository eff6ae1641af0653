//! The simulator as others use it: scenarios of the repository, their golden outputs, and many seeds.

mod golden;
mod loops;
mod mistakes;
mod seeds;
