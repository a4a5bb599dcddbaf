//! The text of a list, as Python and NumPy print it.

use super::plan::{Item, List};
use super::spec::ListStyle;
use super::words::WordList;

/// Where NumPy breaks a line.
const LINE: usize = 75;

/// Appends the text of `list` to `out`: `of` are the sampled lines of its items, `with` those of what stands beside them.
pub fn push_list(
    out: &mut Vec<u8>,
    list: &List,
    of: &[u32],
    with: &[u32],
    lists: &[impl AsRef<WordList>],
) {
    let text = |item: Item, line: u32| {
        let words = lists[item.list].as_ref();
        words.field(line as usize, item.field).text.as_str()
    };
    let items = of.iter().map(|&line| text(list.of, line));
    match list.style {
        ListStyle::Python => push_python(out, items),
        ListStyle::PythonNested => {
            let beside = list
                .with
                .map(|item| with.iter().map(move |&line| text(item, line)));
            let mut beside = beside.into_iter().flatten();
            out.push(b'[');
            for (n, item) in items.enumerate() {
                if n > 0 {
                    out.extend_from_slice(b", ");
                }
                push_python(out, std::iter::once(item).chain(beside.next()));
            }
            out.push(b']');
        }
        ListStyle::Sentences => {
            for item in items {
                out.push(b' ');
                out.extend_from_slice(item.as_bytes());
                out.extend_from_slice(b" .");
            }
        }
        ListStyle::Numpy => push_numpy(out, items),
    }
}

fn push_python<'a>(out: &mut Vec<u8>, items: impl Iterator<Item = &'a str>) {
    out.push(b'[');
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.extend_from_slice(b", ");
        }
        push_item(out, item);
    }
    out.push(b']');
}

fn push_numpy<'a>(out: &mut Vec<u8>, items: impl Iterator<Item = &'a str>) {
    let mut items: Vec<&str> = items.collect();
    items.sort_unstable();
    let mut line = out.len();
    out.push(b'[');
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            let full = out.len() - line + item.len() + 3 > LINE;
            if full {
                out.push(b'\n');
                line = out.len();
            }
            out.push(b' ');
        }
        push_item(out, item);
    }
    out.push(b']');
}

/// A text as Python prints it; `nan` is the number that is none, not a text.
fn push_item(out: &mut Vec<u8>, item: &str) {
    if item == "nan" {
        out.extend_from_slice(b"nan");
        return;
    }
    let quote = if item.contains('\'') { b'"' } else { b'\'' };
    out.push(quote);
    out.extend_from_slice(item.as_bytes());
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python_and_numpy_do() {
        let written = |push: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            push(&mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(written(&|out| push_python(out, [].into_iter())), "[]");
        assert_eq!(
            written(&|out| push_python(out, ["a", " b", "", "nan", "d's"].into_iter())),
            r#"['a', ' b', '', nan, "d's"]"#
        );
        let codes = [
            "C0000007", "C0000001", "C0000002", "C0000003", "C0000004", "C0000005", "C0000006",
        ];
        assert_eq!(
            written(&|out| push_numpy(out, codes.into_iter())),
            "['C0000001' 'C0000002' 'C0000003' 'C0000004' 'C0000005' 'C0000006'\n 'C0000007']"
        );
    }
}
