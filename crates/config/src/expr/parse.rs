//! Parse: text to a bounded tree with positions.

use cel::{
    ParseError,
    common::ast::{IdedExpr, SourceInfo},
    parser::Parser,
};

use super::Problem;

/// The longest expression, in bytes; the parser's time grows with it.
const MAX_BYTES: usize = 8 << 10;
/// The deepest nesting of brackets; the parser recurses.
const MAX_DEPTH: u16 = 32;
/// The most signs: a chain of operators without brackets nests, too, and 1,600 of them overflow the stack of a thread.
const MAX_SIGNS: usize = 512;

/// An expression as a tree.
pub(super) struct Parsed {
    pub(super) tree: IdedExpr,
    source: SourceInfo,
}

impl Parsed {
    /// Returns the position of the character where a node begins.
    pub(super) fn at(&self, node: &IdedExpr) -> usize {
        self.at_id(node.id)
    }

    /// The same, of the node with this number.
    pub(super) fn at_id(&self, node: u64) -> usize {
        let start = self.source.offset_for(node).map_or(0, |(start, _)| start as usize);
        characters(&self.source.source, start)
    }
}

/// Reads an expression.
pub(super) fn parse(source: &str) -> Result<Parsed, Vec<Problem>> {
    let bound = |message: String, hint: &str| Err(vec![Problem { at: 0, message, hint: hint.into() }]);
    if source.trim().is_empty() {
        return bound("the expression is empty".into(), "write a condition, such as `income >= 5.0`");
    }
    if source.len() > MAX_BYTES {
        return bound(format!("the expression has {} bytes, more than 8 KiB", source.len()), "split the rule");
    }
    if nesting(source) > usize::from(MAX_DEPTH) {
        return bound(format!("the expression nests deeper than {MAX_DEPTH} levels"), "split the rule");
    }
    let signs = source.chars().filter(|c| ".[({?!+-*/%<>=".contains(*c)).count();
    if signs > MAX_SIGNS {
        return bound(format!("the expression has {signs} operators, more than {MAX_SIGNS}"), "split the rule");
    }
    match Parser::new().max_recursion_depth(MAX_DEPTH * 2).parse_with_source_info(source) {
        Ok((tree, source)) => Ok(Parsed { tree, source }),
        Err(errors) => Err(errors.errors.iter().map(|error| problem(error, source)).collect()),
    }
}

/// The parser counts bytes, people count characters.
fn characters(source: &str, bytes: usize) -> usize {
    source.char_indices().take_while(|(at, _)| *at < bytes).count()
}

/// Counts brackets that are open at once and, as they nest without brackets, question marks.
fn nesting(source: &str) -> usize {
    let (mut open, mut deepest, mut choices) = (0usize, 0, 0);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '?' => choices += 1,
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest + choices
}

/// The parser speaks of lines from 1 and columns from 1.
fn problem(error: &ParseError, source: &str) -> Problem {
    let (line, column) = (usize::try_from(error.pos.0).unwrap_or(1), usize::try_from(error.pos.1).unwrap_or(1));
    let above: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(|it| it.chars().count()).sum();
    let message = error.msg.lines().next().unwrap_or_default().replace("Syntax error: ", "");
    Problem { at: above + column.saturating_sub(1), message: format!("not CEL: {message}"), hint: HINT.into() }
}

/// How to mend a syntax error.
const HINT: &str = "conditions look like `income >= 5.0 && country in ['de', 'fr']`";
