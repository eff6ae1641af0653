//! Attributes of a node, read with words for what is wrong.

use crate::{
    proto::{AttributeProto, NodeProto},
    tensor::{Data, Tensor},
};

/// The attributes of one node.
#[derive(Clone, Copy)]
pub(crate) struct Attributes<'a>(&'a NodeProto);

impl<'a> Attributes<'a> {
    pub(crate) fn of(node: &'a NodeProto) -> Self {
        Self(node)
    }

    fn find(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|it| it.name == name)
    }

    pub(crate) fn is_given(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Returns whole numbers; none given is none.
    pub(crate) fn ints(self, name: &str) -> &'a [i64] {
        self.find(name).map_or(&[], |it| &it.ints)
    }

    /// Returns whole numbers that are indices.
    pub(crate) fn indices(self, name: &str) -> Result<Vec<u32>, String> {
        let index = |it: &i64| u32::try_from(*it).map_err(|_| format!("`{name}` has {it}, which is no index"));
        self.ints(name).iter().map(index).collect()
    }

    pub(crate) fn int(self, name: &str) -> Option<i64> {
        self.find(name).map(|it| it.i)
    }

    pub(crate) fn floats(self, name: &str) -> &'a [f32] {
        self.find(name).map_or(&[], |it| &it.floats)
    }

    /// Returns numbers that stand in `name`, or as a tensor in `name_as_tensor`.
    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>, String> {
        let as_tensor = format!("{name}_as_tensor");
        let Some(attribute) = self.find(&as_tensor) else {
            return Ok(self.floats(name).iter().copied().map(f64::from).collect());
        };
        let tensor = attribute.t.as_ref().ok_or_else(|| format!("`{as_tensor}` holds no tensor"))?;
        match Tensor::read(tensor).map_err(|why| format!("`{as_tensor}`: {why}"))?.into_parts().1 {
            Data::F64(values) => Ok(values),
            Data::F32(values) => Ok(values.into_iter().map(f64::from).collect()),
            _ => Err(format!("`{as_tensor}` holds no numbers with a fraction")),
        }
    }

    pub(crate) fn texts(self, name: &str) -> Vec<String> {
        let texts = self.find(name).map_or(&[][..], |it| &it.strings);
        texts.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect()
    }

    pub(crate) fn text(self, name: &str) -> Option<String> {
        self.find(name).map(|it| String::from_utf8_lossy(&it.s).into_owned())
    }
}
