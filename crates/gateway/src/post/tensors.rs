//! Tensors: the numbers and texts of an inference, each element on its own.

use evenkeel_config::{Changes, Clamp, Post, Round, Step, Work};
use evenkeel_core::ResultCode;

use super::Unfit;
use crate::tensor::{Datatype, InferAnswer, Tensor, push_bytes};

/// Does to each output what is done to it. One that nobody asked for is not there.
pub(super) fn apply(answer: &mut InferAnswer, post: &Post, changes: &mut Changes) -> Result<(), Unfit> {
    for (at, Step { name, output, work }) in post.steps().iter().enumerate() {
        let named = |tensor: &Tensor| output.as_deref() == Some(tensor.name());
        let InferAnswer { outputs, unposted, .. } = &mut *answer;
        for tensor in outputs.iter_mut().map(|it| &mut it.tensor).filter(|it| named(it)) {
            let (made, times) = match work {
                Work::Clamp(clamp) => clamped(tensor, *clamp)?,
                Work::Round(round) => rounded(tensor, *round)?,
                Work::Text(_) => {
                    *tensor = texts(tensor, (post, at), changes)?;
                    continue;
                }
            };
            changes.add(at, name, times);
            let before = std::mem::replace(tensor, made);
            // Who learns what a tier says learns it from what it said.
            if times > 0 && unposted.iter().all(|it| it.name() != before.name()) {
                unposted.push(before);
            }
        }
    }
    Ok(())
}

/// Another type than the step is for, which only a route without an `output` can meet.
const MISFIT: Unfit = Unfit::Form(ResultCode::ContractDtype);

/// Makes each element anew; returns how many are others than they were.
fn each<const N: usize>(tensor: &Tensor, make: impl Fn([u8; N]) -> [u8; N]) -> Result<(Tensor, u64), Unfit> {
    let (mut data, mut times) = (Vec::with_capacity(tensor.data().len()), 0);
    for bytes in tensor.values::<N>() {
        let made = make(bytes);
        times += u64::from(made != bytes);
        data.extend_from_slice(&made);
    }
    remade(tensor, data).map(|tensor| (tensor, times))
}

fn remade(tensor: &Tensor, data: Vec<u8>) -> Result<Tensor, Unfit> {
    tensor.remade(tensor.datatype(), tensor.shape(), data).map_err(|_| MISFIT)
}

fn clamped(tensor: &Tensor, clamp: Clamp) -> Result<(Tensor, u64), Unfit> {
    macro_rules! whole {
        ($type:ty) => {
            each(tensor, |bytes| {
                let value = <$type>::from_le_bytes(bytes);
                <$type>::try_from(clamp.of_whole(value.into())).unwrap_or(value).to_le_bytes()
            })
        };
    }
    match tensor.datatype() {
        Datatype::Fp32 => each(tensor, |bytes| single(bytes, |it| clamp.of(it.into()) as f32)),
        Datatype::Fp64 => each(tensor, |bytes| clamp.of(f64::from_le_bytes(bytes)).to_le_bytes()),
        Datatype::Uint8 => whole!(u8),
        Datatype::Uint16 => whole!(u16),
        Datatype::Uint32 => whole!(u32),
        Datatype::Uint64 => whole!(u64),
        Datatype::Int8 => whole!(i8),
        Datatype::Int16 => whole!(i16),
        Datatype::Int32 => whole!(i32),
        Datatype::Int64 => whole!(i64),
        Datatype::Bool | Datatype::Bytes | Datatype::Fp16 | Datatype::Bf16 => Err(MISFIT),
    }
}

fn rounded(tensor: &Tensor, round: Round) -> Result<(Tensor, u64), Unfit> {
    match tensor.datatype() {
        Datatype::Fp32 => each(tensor, |bytes| single(bytes, |it| round.of_single(it))),
        Datatype::Fp64 => each(tensor, |bytes| round.of(f64::from_le_bytes(bytes)).to_le_bytes()),
        _ => Err(MISFIT),
    }
}

/// Makes a number of FP32 anew; NaN stays the NaN that it is.
fn single(bytes: [u8; 4], make: impl Fn(f32) -> f32) -> [u8; 4] {
    let value = f32::from_le_bytes(bytes);
    if value.is_nan() { bytes } else { make(value).to_le_bytes() }
}

/// Makes each text anew. What is no text has not been looked at, and is not given (POST-4).
fn texts(tensor: &Tensor, (post, step): (&Post, usize), changes: &mut Changes) -> Result<Tensor, Unfit> {
    if tensor.datatype() != Datatype::Bytes {
        return Err(MISFIT);
    }
    let mut data = Vec::with_capacity(tensor.data().len());
    for element in tensor.strings() {
        let text = std::str::from_utf8(element).map_err(|_| Unfit::Form(ResultCode::GuardOutput))?;
        push_bytes(&mut data, post.one(step, text, changes)?.as_bytes());
    }
    remade(tensor, data)
}
