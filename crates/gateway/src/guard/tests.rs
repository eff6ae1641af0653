//! Guards over references that are built here.
