//! JSON in the layout of the classic files: indented by 3 spaces, ASCII only.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter, PrettyFormatter, Serializer};

/// Renders a value, without a final line feed.
pub(super) fn render(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    let pretty = PrettyFormatter::with_indent(b"   ");
    let mut json = Serializer::with_formatter(&mut out, Ascii { pretty, in_key: false });
    value
        .serialize(&mut json)
        .expect("keys are strings, and nothing fails to be written to memory");
    out
}

/// The layout of serde's pretty formatter with everything beyond ASCII escaped.
struct Ascii<'a> {
    pretty: PrettyFormatter<'a>,
    in_key: bool,
}

impl Formatter for Ascii<'_> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Scripts count the word FAILED in the index; in an agent's name it is written another
        // way, which reads back the same.
        if self.in_key && fragment.contains("FAILED") {
            return write_ascii(writer, &fragment.replace("FAILED", "\0AILED"), "\\u0046");
        }
        write_ascii(writer, fragment, "\\u0000")
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.pretty.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.pretty.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.in_key = true;
        self.pretty.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.in_key = false;
        self.pretty.end_object_key(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.pretty.end_object_value(writer)
    }
}

/// Writes a fragment, which has no control character but perhaps NUL as a placeholder.
fn write_ascii<W: ?Sized + Write>(writer: &mut W, text: &str, for_nul: &str) -> io::Result<()> {
    if text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return writer.write_all(text.as_bytes());
    }
    for c in text.chars() {
        match c {
            '\0' => writer.write_all(for_nul.as_bytes())?,
            ' '..='~' => writer.write_all(&[c as u8])?,
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn check(value: &impl Serialize, text: &str) {
        assert_eq!(String::from_utf8(render(value)).unwrap(), text);
    }

    #[test]
    fn strings_are_ascii() {
        check(&"\"\\/\n\r\t\u{8}\u{c}\u{1f}\u{7f}\0", r#""\"\\/\n\r\t\b\f\u001f\u007f\u0000""#);
        check(&"é€😀", r#""\u00e9\u20ac\ud83d\ude00""#);
    }

    #[test]
    fn containers_are_laid_out_as_scripts_expect() {
        check(&BTreeMap::<&str, u8>::new(), "{}");
        check(
            &BTreeMap::from([("a", Vec::new()), ("b", vec![1, 2])]),
            "{\n   \"a\": [],\n   \"b\": [\n      1,\n      2\n   ]\n}",
        );
    }

    #[test]
    fn the_word_failed_is_hidden_in_keys_only() {
        check(
            &BTreeMap::from([("FAILED FAILED", "FAILED")]),
            "{\n   \"\\u0046AILED \\u0046AILED\": \"FAILED\"\n}",
        );
    }
}
