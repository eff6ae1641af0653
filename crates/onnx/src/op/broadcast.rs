//! Broadcasting, as numpy has it: dimensions of one stand for as many as are needed.

use super::room;

/// Returns the shape that shapes become together.
pub(super) fn together(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|it| it.len()).max().unwrap_or(0);
    let mut shape = vec![1; rank];
    for one in shapes {
        for (at, size) in one.iter().enumerate() {
            let place = &mut shape[at + rank - one.len()];
            match (*place, *size) {
                (found, size) if found == size || size == 1 => {}
                (1, size) => *place = size,
                _ => return Err(format!("the shapes {shapes:?} do not go together")),
            }
        }
    }
    room(&shape)?;
    Ok(shape)
}

/// Walks the elements of a tensor of shape `of` in the order of the larger shape.
pub(super) fn places(shape: &[usize], of: &[usize]) -> impl Iterator<Item = usize> + Clone {
    let lead = shape.len() - of.len();
    let mut strides = vec![0; shape.len()];
    let mut stride = 1;
    for place in (0..of.len()).rev() {
        if of[place] != 1 {
            strides[lead + place] = stride;
        }
        stride *= of[place];
    }
    let shape = shape.to_vec();
    let count = shape.iter().product();
    (0..count).map(move |mut at: usize| {
        let mut place = 0;
        for (dimension, stride) in shape.iter().zip(&strides).rev() {
            place += at % dimension * stride;
            at /= dimension;
        }
        place
    })
}
