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

    pub(crate) fn float(self, name: &str) -> Option<f32> {
        self.find(name).map(|it| it.f)
    }

    /// Returns a yes or no that is written as a number.
    pub(crate) fn flag(self, name: &str, default: bool) -> bool {
        self.int(name).map_or(default, |it| it != 0)
    }

    /// Returns a tensor; none where none is given.
    pub(crate) fn tensor(self, name: &str) -> Result<Option<Tensor>, String> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        let tensor = attribute.t.as_ref().ok_or_else(|| format!("`{name}` holds no tensor"))?;
        Tensor::read(tensor).map(Some).map_err(|why| format!("`{name}`: {why}"))
    }

    /// Returns the numbers of a tensor of UINT8, which no value may be, but the modes of trees are.
    pub(crate) fn octets(self, name: &str) -> Result<Vec<u8>, String> {
        let tensor = self.find(name).and_then(|it| it.t.as_ref()).ok_or_else(|| format!("`{name}` holds no tensor"))?;
        match tensor.data_type {
            2 if !tensor.raw_data.is_empty() => Ok(tensor.raw_data.clone()),
            2 => {
                let octet = |it: &i32| u8::try_from(*it).map_err(|_| format!("`{name}` has {it}, which is no UINT8"));
                tensor.int32_data.iter().map(octet).collect()
            }
            other => Err(format!("`{name}` has the type {other}, not UINT8")),
        }
    }

    pub(crate) fn floats(self, name: &str) -> &'a [f32] {
        self.find(name).map_or(&[], |it| &it.floats)
    }

    /// Returns numbers that stand in `name`, or as a tensor in `name_as_tensor`.
    pub(crate) fn numbers(self, name: &str) -> Result<Vec<f64>, String> {
        let as_tensor = format!("{name}_as_tensor");
        match self.tensor(&as_tensor)?.map(|it| it.into_parts().1) {
            None => Ok(self.floats(name).iter().copied().map(f64::from).collect()),
            Some(Data::F64(values)) => Ok(values),
            Some(Data::F32(values)) => Ok(values.into_iter().map(f64::from).collect()),
            Some(_) => Err(format!("`{as_tensor}` holds no numbers with a fraction")),
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
