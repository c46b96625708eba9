//! One line of the log, from an event's fields to text.
//!
//! Owns the two forms of a line. Never decides what is logged, nor where.

use std::error::Error;
use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};

use super::json;
use super::logging::write_timestamp;

/// How bad it is, in zap's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Debug,
    Info,
    Warn,
    Error,
    /// A panic ends the process.
    Panic,
    /// The process ends.
    Fatal,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Debug => "debug",
            Severity::Info => "info",
            Severity::Warn => "warn",
            Severity::Error => "error",
            Severity::Panic => "panic",
            Severity::Fatal => "fatal",
        }
    }

    /// The terminal's escape sequence.
    fn colour(self) -> &'static str {
        match self {
            Severity::Debug => "\u{1b}[2m",
            Severity::Info => "\u{1b}[32m",
            Severity::Warn => "\u{1b}[33m",
            Severity::Error | Severity::Panic | Severity::Fatal => "\u{1b}[31m",
        }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Json,
    Console { colours: bool },
}

/// A line in the making. Writing into its texts cannot fail.
pub(super) struct Line {
    style: Style,
    pub message: String,
    fields: String,
    /// For humans: texts of several lines, which stand below the line.
    below: String,
    caller_file: String,
    caller_line: u32,
}

impl Line {
    pub(super) fn new(style: Style) -> Line {
        Line {
            style,
            message: String::new(),
            fields: String::new(),
            below: String::new(),
            caller_file: String::new(),
            caller_line: 0,
        }
    }

    /// Where the event is in the source: the file's last folder and name, as in etcd.
    pub(super) fn set_caller(&mut self, file: &str, line: u32) {
        let short = file.rmatch_indices('/').nth(1).map_or(file, |(slash, _)| &file[slash + 1..]);
        short.clone_into(&mut self.caller_file);
        self.caller_line = line;
    }

    /// A field that is a text.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        if self.style != Style::Json && value.contains('\n') {
            let _ = writeln!(self.below, "{name}:\n{}", value.trim_end());
            return;
        }
        self.key(name);
        let _ = match self.style {
            Style::Json => json::write_string(&mut self.fields, value),
            Style::Console { .. } if value.is_empty() || value.contains([' ', '"', '\t']) => {
                write!(self.fields, "{value:?}")
            }
            Style::Console { .. } => self.fields.write_str(value),
        };
    }

    /// A field that is the same in both forms.
    fn raw(&mut self, name: &str, value: std::fmt::Arguments<'_>) {
        self.key(name);
        let _ = self.fields.write_fmt(value);
    }

    /// A field's name, with etcd's dashes for Rust's underscores, and what divides it from its value.
    fn key(&mut self, name: &str) {
        let (before, after) = match self.style {
            Style::Json => (",\"", "\":"),
            Style::Console { .. } => (" ", "="),
        };
        self.fields.push_str(before);
        self.fields.extend(name.chars().map(|c| if c == '_' { '-' } else { c }));
        self.fields.push_str(after);
    }

    /// The finished line, with its end.
    pub(super) fn finish(&self, severity: Severity, text: &mut String) {
        match self.style {
            Style::Json => {
                let _ = write!(text, "{{\"level\":\"{}\",\"ts\":\"", severity.name());
                write_timestamp(text);
                let _ = text.write_str("\",\"caller\":");
                let _ = json::write_display(text, format_args!("{}:{}", self.caller_file, self.caller_line));
                let _ = text.write_str(",\"msg\":");
                let _ = json::write_string(text, &self.message);
                let _ = writeln!(text, "{}}}", self.fields);
            }
            Style::Console { colours } => {
                write_timestamp(text);
                let (colour, plain) = if colours { (severity.colour(), "\u{1b}[0m") } else { ("", "") };
                let space = if self.fields.is_empty() { "" } else { " " };
                let _ = writeln!(
                    text,
                    "  {colour}{:<5}{plain}  {}{space}{}  ({}:{})",
                    severity.name(),
                    self.message,
                    self.fields,
                    self.caller_file,
                    self.caller_line,
                );
                text.push_str(&self.below);
            }
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => {
                let _ = write!(self.message, "{value:?}");
            }
            // What crates log through the `log` facade names its place in fields of its own.
            "log.target" | "log.module_path" | "log.file" | "log.line" => {}
            name => match self.style {
                Style::Json => {
                    self.key(name);
                    let _ = json::write_display(&mut self.fields, format_args!("{value:?}"));
                }
                Style::Console { .. } => self.text(name, &format!("{value:?}")),
            },
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "log.target" | "log.module_path" => {}
            "log.file" => self.set_caller(value, self.caller_line),
            name => self.text(name, value),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "log.line" => self.caller_line = u32::try_from(value).unwrap_or(u32::MAX),
            name => self.raw(name, format_args!("{value}")),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.raw(field.name(), format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.raw(field.name(), format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.raw(field.name(), format_args!("{value}"));
        } else {
            self.text(field.name(), &value.to_string());
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field.name(), &value.to_string());
    }
}
