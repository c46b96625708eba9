//! Just enough of JSON to write log lines.

use std::fmt::{self, Write};

/// Writes a text as a JSON string, quotes included.
///
/// # Errors
/// If the writer fails.
pub fn write_string(writer: &mut dyn Write, text: &str) -> fmt::Result {
    let mut inside = Inside(writer);
    inside.0.write_char('"')?;
    inside.write_str(text)?;
    inside.0.write_char('"')
}

/// Writes what a value displays as a JSON string, without an allocation between.
///
/// # Errors
/// If the writer or the value fails.
pub fn write_display(writer: &mut dyn Write, value: fmt::Arguments<'_>) -> fmt::Result {
    let mut inside = Inside(writer);
    inside.0.write_char('"')?;
    inside.write_fmt(value)?;
    inside.0.write_char('"')
}

/// Escapes all that passes through it.
struct Inside<'a>(&'a mut dyn Write);

impl Write for Inside<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
            let (plain, escaped) = rest.split_at(at);
            self.0.write_str(plain)?;
            let mut characters = escaped.chars();
            match characters.next().expect("something was found") {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                '\r' => self.0.write_str("\\r")?,
                '\t' => self.0.write_str("\\t")?,
                other => write!(self.0, "\\u{:04x}", u32::from(other))?,
            }
            rest = characters.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped() {
        let cases = [
            ("", r#""""#),
            ("plain", r#""plain""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\tc\rd", r#""a\nb\tc\rd""#),
            ("\0\u{1b}", r#""\u0000\u001b""#),
            ("ümläut \u{2028}", "\"ümläut \u{2028}\""),
        ];
        for (text, expected) in cases {
            let mut written = String::new();
            write_string(&mut written, text).unwrap();
            assert_eq!(written, expected);
            written.clear();
            write_display(&mut written, format_args!("{text}")).unwrap();
            assert_eq!(written, expected);
        }
    }
}
