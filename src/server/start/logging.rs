//! The server's log: one line an event, JSON with zap's keys or text for humans, to one or more outputs.
//!
//! The keys are etcd's (`level`, `ts`, `caller`, `msg`, then the event's own fields, written-with-dashes), so that what
//! reads etcd's logs reads these. Each line leaves in one write to a file that appends: lines of several threads never
//! mix, and no lock is held that a panicking thread could be stuck on. A write that fails is dropped: there is nowhere
//! to complain. An output that blocks (a full pipe) blocks the thread that logs, so the hot path does not log.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write as _};
use std::os::fd::AsFd;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use campanile_config::{LogFormat, LogLevel, LogOutput, Logging};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::line::{Line, Style};

pub use super::line::Severity;

/// What the names of all our crates begin with; other crates are heard from warnings on.
const OWN_TARGETS: &str = "campanile";
/// What a thread keeps of its line buffer between two lines.
const LINE_BUFFER_BYTES_KEPT: usize = 16 << 10;

/// Where last words go, once the log has been started.
static SINKS: OnceLock<Arc<[Sink]>> = OnceLock::new();

thread_local! {
    static BUFFER: Cell<String> = const { Cell::new(String::new()) };
}

/// Why the log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// An output that cannot be appended to.
    #[error("--log-outputs names {}, which cannot be appended to: {error}", path.display())]
    Output { path: PathBuf, error: io::Error },
    /// Standard output or standard error is closed.
    #[error("cannot log to {stream}: {error}; give --log-outputs a file")]
    Stream { stream: &'static str, error: io::Error },
    /// The process has a log already.
    #[error("the log was started twice")]
    Started,
}

/// Starts the log of this process.
///
/// # Errors
/// If an output cannot be written to, or the log was started before.
pub fn start(logging: &Logging) -> Result<(), LoggingError> {
    let sinks: Arc<[Sink]> =
        logging.outputs.iter().map(|output| Sink::open(output, logging.format)).collect::<Result<_, _>>()?;
    tracing_subscriber::registry()
        .with(targets(logging.level))
        .with(Lines { sinks: Arc::clone(&sinks) })
        .try_init()
        .map_err(|_| LoggingError::Started)?;
    SINKS.set(sinks).map_err(|_| LoggingError::Started)?;
    Ok(())
}

/// Logs why the process ends, whatever the level is; to standard error if there is no log yet.
#[track_caller]
pub fn fatal(message: &str) {
    let location = Location::caller();
    write_last_words(Severity::Fatal, (location.file(), location.line()), message, &[]);
}

/// Writes one line past all filters: for a process that is about to end.
pub(super) fn write_last_words(severity: Severity, caller: (&str, u32), message: &str, fields: &[(&str, String)]) {
    let write = |sink: &Sink| {
        let mut line = Line::new(sink.style);
        line.message.push_str(message);
        for (name, value) in fields {
            line.text(name, value);
        }
        line.set_caller(caller.0, caller.1);
        let mut text = String::new();
        line.finish(severity, &mut text);
        sink.write(&text);
    };
    match SINKS.get() {
        Some(sinks) => sinks.iter().for_each(write),
        None => {
            if let Ok(sink) = Sink::open(&LogOutput::Stderr, LogFormat::Automatic) {
                write(&sink);
            }
        }
    }
}

fn targets(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
        // Last words pass no filter.
        LogLevel::Panic | LogLevel::Fatal => LevelFilter::OFF,
    };
    Targets::new().with_default(own.min(LevelFilter::WARN)).with_target(OWN_TARGETS, own)
}

/// One output. Reached through a descriptor of its own: standard error as the library has it is behind a lock.
#[derive(Debug)]
struct Sink {
    file: File,
    style: Style,
}

impl Sink {
    fn open(output: &LogOutput, format: LogFormat) -> Result<Sink, LoggingError> {
        let (file, terminal) = match output {
            LogOutput::Stderr => {
                let stream = io::stderr();
                (duplicate("standard error", &stream)?, stream.is_terminal())
            }
            LogOutput::Stdout => {
                let stream = io::stdout();
                (duplicate("standard output", &stream)?, stream.is_terminal())
            }
            LogOutput::File(path) => {
                let open = OpenOptions::new().append(true).create(true).open(path);
                (open.map_err(|error| LoggingError::Output { path: path.clone(), error })?, false)
            }
        };
        let colours = terminal && std::env::var_os("NO_COLOR").is_none();
        let style = match format {
            LogFormat::Json => Style::Json,
            LogFormat::Automatic if !terminal => Style::Json,
            LogFormat::Automatic | LogFormat::Console => Style::Console { colours },
        };
        Ok(Sink { file, style })
    }

    fn write(&self, line: &str) {
        let _ = (&self.file).write_all(line.as_bytes());
    }
}

fn duplicate(stream: &'static str, descriptor: &impl AsFd) -> Result<File, LoggingError> {
    let owned = descriptor.as_fd().try_clone_to_owned().map_err(|error| LoggingError::Stream { stream, error })?;
    Ok(File::from(owned))
}

/// Turns events into lines.
struct Lines {
    sinks: Arc<[Sink]>,
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let severity = match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG | Level::TRACE => Severity::Debug,
        };
        // Taken, not borrowed: a value that is being formatted may log by itself.
        let mut text = BUFFER.take();
        for sink in &*self.sinks {
            let mut line = Line::new(sink.style);
            line.set_caller(metadata.file().unwrap_or(""), metadata.line().unwrap_or(0));
            event.record(&mut line);
            text.clear();
            line.finish(severity, &mut text);
            sink.write(&text);
        }
        text.shrink_to(LINE_BUFFER_BYTES_KEPT);
        BUFFER.set(text);
    }
}

/// The time of a line: UTC, in microseconds, as etcd writes it.
pub(super) fn write_timestamp(text: &mut String) {
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
    if SystemTime.format_time(&mut Writer::new(text)).is_err() {
        let _ = text.write_str("0000-00-00T00:00:00.000000Z");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::start::probe::tests::Scratch;

    fn lines(style: Style, log: impl FnOnce()) -> Vec<String> {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        let file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        let sinks: Arc<[Sink]> = Arc::new([Sink { file, style }]);
        let subscriber = tracing_subscriber::registry().with(Lines { sinks });
        tracing::subscriber::with_default(subscriber, log);
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    /// A line without the time that it was written at.
    fn timeless(line: &str) -> String {
        let (before, rest) = line.split_once("\"ts\":\"").unwrap();
        let (time, after) = rest.split_once('"').unwrap();
        assert_eq!(time.len(), "2026-11-24T03:24:25.319000Z".len(), "{time}");
        assert!(time.ends_with('Z'), "{time}");
        format!("{before}{after}")
    }

    #[test]
    fn json_lines_have_zaps_keys() {
        let lines = lines(Style::Json, || {
            let error = io::Error::other("no \"space\"");
            tracing::warn!(
                data_dir = "/a b",
                count = 3_u64,
                offset = -1_i64,
                ready = false,
                ratio = 0.5,
                endless = f64::INFINITY,
                error = &error as &dyn std::error::Error,
                list = ?[1, 2],
                "could not\nwrite {}",
                7
            );
            tracing::debug!("nothing else");
        });
        let caller = |line: &str| line.split("\"caller\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert!(caller(&lines[0]).starts_with("start/logging.rs:"), "{}", lines[0]);
        assert_eq!(
            timeless(&lines[0]).replace(&caller(&lines[0]), "C"),
            r#"{"level":"warn",,"caller":"C","msg":"could not\nwrite 7","data-dir":"/a b","count":3,"offset":-1,"ready":false,"ratio":0.5,"endless":"inf","error":"no \"space\"","list":"[1, 2]"}"#
        );
        assert!(timeless(&lines[1]).starts_with(r#"{"level":"debug","#), "{}", lines[1]);
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn console_lines_are_for_humans() {
        let lines = lines(Style::Console { colours: false }, || {
            tracing::info!(name = "a", path = "/a b", trace = "one\ntwo\n", id = 3, "ready\tto serve");
        });
        assert_eq!(lines[1..], ["trace:", "one", "two"]);
        let (time, rest) = lines[0].split_once("  ").unwrap();
        assert!(time.ends_with('Z'), "{time}");
        assert!(rest.starts_with("info   ready\tto serve  name=a path=\"/a b\" id=3  (start/logging.rs:"), "{rest}");
    }

    #[test]
    fn others_are_heard_from_warnings_on() {
        let heard = |level, target: &str, event| targets(level).would_enable(target, &event);
        assert!(heard(LogLevel::Info, "campanile::start", Level::INFO));
        assert!(heard(LogLevel::Debug, "campanile_core::group", Level::DEBUG));
        assert!(!heard(LogLevel::Info, "campanile", Level::DEBUG));
        assert!(!heard(LogLevel::Debug, "h2::codec", Level::INFO));
        assert!(heard(LogLevel::Debug, "glommio", Level::WARN));
        assert!(!heard(LogLevel::Error, "glommio", Level::WARN));
        assert!(!heard(LogLevel::Fatal, "campanile", Level::ERROR));
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let output = LogOutput::File("/nonexistent/log".into());
        let refusal = Sink::open(&output, LogFormat::Automatic).unwrap_err().to_string();
        assert!(refusal.starts_with("--log-outputs names /nonexistent/log, which cannot be appended to: No such file"));
    }

    #[test]
    fn last_words_pass_every_filter() {
        use crate::start::panic::tests::{child, run_child};
        if child("logging") {
            let logging =
                Logging { level: LogLevel::Warn, format: LogFormat::Automatic, outputs: vec![LogOutput::Stderr] };
            start(&logging).unwrap();
            tracing::info!("first");
            tracing::warn!("second");
            fatal("third");
            assert!(matches!(start(&logging), Err(LoggingError::Started)));
            std::process::exit(42);
        }
        let output = run_child("start::logging::tests::last_words_pass_every_filter", "logging");
        assert_eq!(output.status.code(), Some(42), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        let message = |line: &str| line.split(r#""msg":""#).nth(1)?.split('"').next().map(str::to_owned);
        let messages: Vec<String> = text.lines().filter_map(message).collect();
        assert_eq!(messages, ["second", "third"], "{text}");
        assert!(text.contains(r#"{"level":"fatal""#), "{text}");
    }
}
