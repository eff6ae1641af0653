//! Load: the bytes of a file to a model, or to what is wrong with them.
//!
//! # Invariants
//! - `LOAD-1`: a value is read only after it was written: the order of the nodes proves that there is no cycle.

use std::collections::BTreeMap;

use prost::Message;
use thiserror::Error;

use crate::{
    extent::Extent,
    model::{Body, Model, Port, Step, Steps},
    op,
    proto::{GraphProto, MapTypeProto, ModelProto, NodeProto, ValueInfoProto},
    tensor::{Kind, MAX_RANK, Tensor},
};

/// The newest versions of the two domains whose operators were compared with what is computed here.
const KNOWN: [(&str, i64); 3] = [("", 26), ("ai.onnx", 26), ("ai.onnx.ml", 5)];

/// The most nodes, inputs and outputs; pipelines have tens. More make a small file that computes for hours.
const MAX_NODES: usize = 4_096;
const MAX_PORTS: usize = 4_096;

/// Why bytes are no model that can be run here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    /// Not a protocol buffer, or cut off.
    #[error("the file is not an ONNX model: {0}")]
    NotOnnx(String),
    /// There is no graph, or it has functions.
    #[error("the file holds {0}, which is not offered")]
    Unoffered(&'static str),
    /// More of something than is read.
    #[error("the file has {found} {what}, the most are {most}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// A newer version of the operators.
    #[error("the file needs version {version} of the operators of {domain:?}, the newest known is {known}")]
    Opset {
        /// The domain.
        domain: String,
        /// What it needs.
        version: i64,
        /// What is known.
        known: i64,
    },
    /// An operator that is not offered.
    #[error("node {node}: the operator {operator:?} of {domain:?} (version {version}) is not offered")]
    Operator {
        /// The node.
        node: String,
        /// The operator.
        operator: String,
        /// Its domain.
        domain: String,
        /// The version of the domain.
        version: i64,
    },
    /// A network that its library does not take.
    #[error("the network cannot be read: {0}")]
    Neural(String),
    /// A node contradicts itself.
    #[error("node {node}: {why}")]
    Node {
        /// The node.
        node: String,
        /// Why.
        why: String,
    },
    /// A constant, an input or an output that cannot be used.
    #[error("value `{name}`: {why}")]
    Value {
        /// The value.
        name: String,
        /// Why.
        why: String,
    },
}

impl Model {
    /// Reads a file, and proves that it can be run.
    ///
    /// # Errors
    /// What is wrong, with the node or value.
    pub fn load(bytes: &[u8]) -> Result<Self, LoadError> {
        let file = ModelProto::decode(bytes).map_err(|error| LoadError::NotOnnx(error.to_string()))?;
        if !file.functions.is_empty() {
            return Err(LoadError::Unoffered("functions"));
        }
        let mut versions: BTreeMap<&str, i64> = BTreeMap::new();
        for import in &file.opset_import {
            let known = KNOWN.iter().find(|(domain, _)| *domain == import.domain).map_or(0, |it| it.1);
            if import.version > known && known > 0 {
                return Err(LoadError::Opset { domain: import.domain.clone(), version: import.version, known });
            }
            versions.insert(&import.domain, import.version);
        }
        let graph = file.graph.as_ref().filter(|graph| !graph.output.is_empty());
        let graph = graph.ok_or(LoadError::Unoffered("no graph with an output"))?;
        let ports = graph.input.len() + graph.output.len();
        for (what, found, most) in [("nodes", graph.node.len(), MAX_NODES), ("inputs and outputs", ports, MAX_PORTS)] {
            if found > most {
                return Err(LoadError::TooMany { what, found, most });
            }
        }
        let read = Reader::default().read(graph, &versions);
        #[cfg(feature = "neural")]
        if let Err(LoadError::Operator { .. } | LoadError::Node { .. }) = &read
            && !graph.node.iter().any(|it| it.domain == op::ML)
        {
            return match (network(bytes, graph, &versions), read) {
                // What is wrong with an operator that both compute was said by the first, with more of its words.
                (Err(LoadError::Node { .. }), Err(first @ LoadError::Node { .. })) => Err(first),
                (network, _) => network,
            };
        }
        read
    }
}

/// Gives a graph as a whole to the library for networks.
#[cfg(feature = "neural")]
fn network(bytes: &[u8], graph: &GraphProto, versions: &BTreeMap<&str, i64>) -> Result<Model, LoadError> {
    use crate::neural::Network;
    let ports = |list: &[ValueInfoProto]| {
        let is_constant = |it: &ValueInfoProto| graph.initializer.iter().any(|constant| constant.name == it.name);
        let read = |it: &ValueInfoProto| port(it).map_err(|why| LoadError::Value { name: it.name.clone(), why });
        list.iter().filter(|it| !is_constant(it)).map(read).collect::<Result<Vec<_>, _>>()
    };
    let (inputs, outputs) = (ports(&graph.input)?, ports(&graph.output)?);
    if let Err((node, why)) = Network::admits(graph, &inputs) {
        let (operator, domain) = (node.op_type.clone(), node.domain.clone());
        let version = versions.get(domain.as_str()).copied().unwrap_or(0);
        return Err(match why {
            "is not offered" | "is of another domain" => {
                LoadError::Operator { node: format!("`{}`", node.name), operator, domain, version }
            }
            why => LoadError::Node { node: format!("`{}` ({operator})", node.name), why: why.into() },
        });
    }
    let body = Body::Network(Box::new(Network::load(bytes, (&inputs, &outputs))?));
    Ok(Model { inputs, outputs, body })
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    /// Where each value stands.
    places: BTreeMap<String, usize>,
    /// How each value stands to the rows, by its place.
    extents: Vec<Extent>,
    /// Where the keys and the values of each map stand.
    maps: BTreeMap<String, [usize; 2]>,
    steps: Vec<Step>,
}

impl Reader {
    fn read(mut self, graph: &GraphProto, versions: &BTreeMap<&str, i64>) -> Result<Model, LoadError> {
        let wrong = |name: &str, why: String| LoadError::Value { name: name.into(), why };
        let mut constants = Vec::new();
        for it in &graph.initializer {
            let constant = Tensor::read(it).map_err(|why| wrong(&it.name, why))?;
            let extent = Extent::Fixed(Some(constant.shape().into()));
            constants.push(constant);
            self.write(&it.name, extent).map_err(|why| wrong(&it.name, why))?;
        }
        let mut inputs = Vec::new();
        for it in graph.input.iter().filter(|it| !self.places.contains_key(&it.name)).collect::<Vec<_>>() {
            if let Some(map) = it.r#type.as_ref().and_then(|it| it.map_type.as_ref()) {
                let ports = map_ports(&it.name, map).map_err(|why| wrong(&it.name, why))?;
                self.maps.insert(it.name.clone(), [self.extents.len(), self.extents.len() + 1]);
                for port in ports {
                    self.write(&port.name, Extent::Mixed).map_err(|why| wrong(&port.name, why))?;
                    inputs.push(port);
                }
                continue;
            }
            let port = port(it).map_err(|why| wrong(&it.name, why))?;
            let is_rows = port.shape.first().is_some_and(Option::is_none);
            let extent = if is_rows { Extent::Rows(port.shape.len()) } else { Extent::Mixed };
            inputs.push(port);
            self.write(&it.name, extent).map_err(|why| wrong(&it.name, why))?;
        }
        for (at, node) in graph.node.iter().enumerate() {
            self.node(at, node, versions)?;
        }
        let (mut outputs, mut results) = (Vec::new(), Vec::new());
        for it in &graph.output {
            if outputs.iter().any(|port: &Port| port.name == it.name) {
                return Err(wrong(&it.name, "it is an output twice".into()));
            }
            outputs.push(port(it).map_err(|why| wrong(&it.name, why))?);
            let place = self.places.get(&it.name).copied();
            results.push(place.ok_or_else(|| wrong(&it.name, "nothing writes it".into()))?);
        }
        let is_rows = |at: &usize| matches!(self.extents[*at], Extent::Rows(rank) if rank > 0);
        let given = constants.len()..constants.len() + inputs.len();
        let by_row = !inputs.is_empty() && given.into_iter().all(|at| is_rows(&at)) && results.iter().all(is_rows);
        let body = Body::Steps(Steps { constants, steps: self.steps, results, by_row });
        Ok(Model { inputs, outputs, body })
    }

    fn node(&mut self, at: usize, node: &NodeProto, versions: &BTreeMap<&str, i64>) -> Result<(), LoadError> {
        let name = if node.name.is_empty() { format!("{at}") } else { format!("{at} `{}`", node.name) };
        let name = format!("{name} ({})", node.op_type);
        let wrong = |why: String| LoadError::Node { node: name.clone(), why };
        let version = Self::version(&node.domain, versions);
        let Some(built) = op::build(node, version).map_err(wrong)? else {
            let (operator, domain) = (node.op_type.clone(), node.domain.clone());
            return Err(LoadError::Operator { node: name, operator, domain, version });
        };
        // What is left out at the end has no name.
        let given = node.input.iter().rposition(|it| !it.is_empty()).map_or(0, |last| last + 1);
        let writes = node.output.len();
        if !built.reads.contains(&given) || writes == 0 || writes > built.writes {
            let (most, reads) = (built.writes, &built.reads);
            return Err(wrong(format!("it has {given} inputs and {writes} outputs, not {reads:?} and up to {most}")));
        }
        let place = |name: &String| {
            let place = self.places.get(name).copied();
            place.ok_or_else(|| wrong(format!("it reads `{name}`, which nothing has written before")))
        };
        let reads: Vec<usize> = match built.of_map {
            true => {
                let map = self.maps.get(&node.input[0]).ok_or_else(|| wrong("what it reads is no map".into()))?;
                map.to_vec()
            }
            false => node.input[..given].iter().map(place).collect::<Result<_, _>>()?,
        };
        let from: Vec<Extent> = reads.iter().map(|at| self.extents[*at].clone()).collect();
        let is_fixed = from.iter().all(|it| matches!(it, Extent::Fixed(_)));
        let extents = if is_fixed { vec![Extent::Fixed(None); writes] } else { built.operator.extent(&from) };
        for (at, output) in node.output.iter().enumerate() {
            self.write(output, extents.get(at).cloned().unwrap_or(Extent::Mixed)).map_err(wrong)?;
        }
        self.steps.push(Step { name, operator: built.operator, reads, writes });
        Ok(())
    }

    /// The version of a domain, which may be called by either of two names.
    fn version(domain: &str, versions: &BTreeMap<&str, i64>) -> i64 {
        let names = if domain == op::ML { [domain, domain] } else { op::PLAIN };
        let found = names.iter().filter(|it| **it == domain || op::PLAIN.contains(&domain));
        found.filter_map(|it| versions.get(it)).copied().max().unwrap_or(0)
    }

    /// Gives the next place to a value; an unnamed one has a place that nobody can read.
    fn write(&mut self, name: &str, extent: Extent) -> Result<(), String> {
        if !name.is_empty() && self.places.insert(name.into(), self.extents.len()).is_some() {
            return Err(format!("`{name}` is written twice"));
        }
        self.extents.push(extent);
        Ok(())
    }
}

/// The two lists that a map comes as.
fn map_ports(name: &str, map: &MapTypeProto) -> Result<[Port; 2], String> {
    let kind = |number: i32| Kind::of(number).ok_or_else(|| format!("type {number} is not offered"));
    let values =
        map.value_type.as_ref().and_then(|it| it.tensor_type.as_ref()).ok_or("its values are no numbers or texts")?;
    let port = |what: &str, kind: Kind| Port { name: format!("{name}.{what}"), kind, shape: vec![None] };
    Ok([port("keys", kind(map.key_type)?), port("values", kind(values.elem_type)?)])
}

fn port(it: &ValueInfoProto) -> Result<Port, String> {
    let declared = it.r#type.as_ref().ok_or("it has no type")?;
    let Some(tensor) = &declared.tensor_type else {
        // A list of maps from labels to probabilities: what `ZipMap` would give, were it not left out.
        return match declared.sequence_type {
            Some(_) => Ok(Port { name: it.name.clone(), kind: Kind::F32, shape: vec![None, None] }),
            None => Err("it is no tensor".into()),
        };
    };
    let kind = Kind::of(tensor.elem_type).ok_or_else(|| format!("type {} is not offered", tensor.elem_type))?;
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    if dimensions.clone().count() > MAX_RANK {
        return Err(format!("it has more than {MAX_RANK} dimensions"));
    }
    let shape = dimensions.map(|it| it.dim_value.and_then(|it| u64::try_from(it).ok()).filter(|it| *it > 0)).collect();
    Ok(Port { name: it.name.clone(), kind, shape })
}

#[cfg(test)]
mod tests;
