//! Shape: files and functions that fit into one sitting (style, section 3).

use super::Source;

/// Lines of a file without its tests: more is warned of, and more is refused.
const FILE: [usize; 2] = [400, 600];
/// Lines of a function, and parameters without `self`, that are refused beyond.
const FUNCTION: usize = 70;
const PARAMETERS: usize = 6;

/// Something that does not fit.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) message: String,
    /// It may be excused in `tidy.allow`; otherwise it is only a warning.
    pub(super) refused: bool,
}

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|it| it.path.starts_with("crates/") && !it.is_test()) {
        let code = source.code();
        let lines = code.lines().count();
        if lines > FILE[0] {
            let message = format!("{lines} lines without tests: two nouns in the header are two files");
            findings.push(Finding { path: source.path.clone(), line: 1, message, refused: lines > FILE[1] });
        }
        functions(source, &code, &mut findings);
    }
    findings
}

fn functions(source: &Source, code: &str, findings: &mut Vec<Finding>) {
    for (at, _) in code.match_indices("fn ") {
        let name_ends = code[at + 3..].find(['(', '<']).map(|end| at + 3 + end);
        let named = code[..at].ends_with([' ', '\n', '(']) || at == 0;
        let Some(open) = name_ends.and_then(|from| code[from..].find('(').map(|it| from + it)).filter(|_| named) else {
            continue;
        };
        let line = code[..at].lines().count();
        let parameters = parameters(&code[open..]);
        let mut report = |message: String| {
            findings.push(Finding { path: source.path.clone(), line, message, refused: true });
        };
        if parameters > PARAMETERS {
            report(format!("{parameters} parameters: make an options struct"));
        }
        let lines = body(&code[open..]).map_or(0, |body| body.lines().count());
        if lines > FUNCTION {
            report(format!("a function of {lines} lines: branches in the parent, straight lines in the leaves"));
        }
    }
}

/// Counts the parameters in a list that begins with its bracket, `self` aside.
fn parameters(list: &str) -> usize {
    let (mut depth, mut count, mut some, mut first) = (0usize, 0, false, String::new());
    for c in list.chars() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            // An arrow closes nothing.
            '>' if !first.ends_with('-') => depth = depth.saturating_sub(1),
            ',' if depth == 1 => count += 1,
            _ => {}
        }
        some |= depth == 1 && !c.is_whitespace() && c != '(' && c != ',';
        if c == ',' && depth == 1 {
            some = false;
        }
        first.push(c);
        if depth == 0 {
            break;
        }
    }
    let all = count + usize::from(some);
    let receiver = first.trim_start_matches('(').split(',').next().unwrap_or_default();
    all - usize::from(
        all > 0 && receiver.split(':').next().is_some_and(|it| it.trim_end_matches(')').trim().ends_with("self")),
    )
}

/// Returns the body of a function, from its opening to its closing bracket.
fn body(from: &str) -> Option<&str> {
    let open = from.find(['{', ';']).filter(|at| from.as_bytes()[*at] == b'{')?;
    let mut depth = 0usize;
    for (at, c) in from[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&from[open..open + at]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(text: &str) -> Vec<String> {
        let source = Source { path: "crates/a/src/b.rs".into(), text: text.into() };
        check(&[source]).into_iter().map(|it| it.message).collect()
    }

    #[test]
    fn long_functions_long_lists_and_long_files_are_found() {
        let long = format!("fn a() {{\n{}}}\n", "    b();\n".repeat(80));
        assert!(messages(&long)[0].contains("82 lines") || messages(&long)[0].contains("81 lines"));
        let many = "fn a(&self, b: u8, c: Vec<(u8, u8)>, d: impl Fn(u8) -> u8, e: u8, f: u8, g: u8) {}";
        assert_eq!(messages(many), Vec::<String>::new(), "six and self");
        assert_eq!(messages(&many.replace("&self", "h: u8")).len(), 1);
        assert_eq!(messages(&"x();\n".repeat(500)).len(), 1);
        assert_eq!(messages("trait A { fn a(&self); }"), Vec::<String>::new());
    }
}
