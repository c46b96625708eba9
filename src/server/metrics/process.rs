//! What the kernel knows about the process: memory, descriptors, CPU time.
//!
//! Names and meanings are those of Prometheus' client libraries, and etcd's for descriptors. What `/proc` does not give
//! is left out, never guessed.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::series::Cells;
use super::text::Text;

/// What `/proc/self/stat` says, of what is asked for (proc(5)).
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// Writes the process's series, and each executor's CPU time.
pub(super) fn render(text: &mut Text, executors: &[&Cells]) {
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(parse_stat) {
        let name = "process_cpu_seconds_total";
        text.head(name, "counter", "CPU time of the process.");
        text.sample(name, &[], stat.cpu_ticks as f64 / ticks_per_second);
        gauge(text, "process_virtual_memory_bytes", "Virtual memory.", stat.virtual_bytes);
        let resident_bytes = stat.resident_pages * rustix::param::page_size() as u64;
        gauge(text, "process_resident_memory_bytes", "Resident memory.", resident_bytes);
        if let Some(boot_seconds) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(parse_boot_seconds) {
            let name = "process_start_time_seconds";
            text.head(name, "gauge", "When the process started, in seconds since 1970.");
            text.sample(name, &[], boot_seconds as f64 + stat.start_ticks as f64 / ticks_per_second);
        }
    }
    if let Some(limit) = getrlimit(Resource::As).current {
        gauge(text, "process_virtual_memory_max_bytes", "The limit of virtual memory.", limit);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // The directory itself is open while it is counted.
        let open = entries.count().saturating_sub(1) as u64;
        gauge(text, "process_open_fds", "Open descriptors.", open);
        gauge(text, "os_fd_used", "Open descriptors.", open);
    }
    if let Some(limit) = getrlimit(Resource::Nofile).current {
        gauge(text, "process_max_fds", "The limit of open descriptors.", limit);
        gauge(text, "os_fd_limit", "The limit of open descriptors.", limit);
    }
    render_executors(text, executors);
}

fn gauge(text: &mut Text, name: &str, help: &str, value: u64) {
    text.head(name, "gauge", help);
    text.sample(name, &[], value);
}

fn render_executors(text: &mut Text, executors: &[&Cells]) {
    let name = "campanile_executor_cpu_seconds_total";
    text.head(name, "counter", "CPU time of an executor's thread.");
    for (executor, cells) in executors.iter().enumerate() {
        let path = format!("/proc/self/task/{}/schedstat", cells.thread_id.get());
        // The first number is the time on a CPU, in nanoseconds.
        let statistics = fs::read_to_string(path).ok();
        let first = statistics.as_deref().and_then(|statistics| statistics.split(' ').next()?.parse::<u64>().ok());
        if let Some(nanoseconds) = first {
            text.sample(name, &[("executor", &executor.to_string())], nanoseconds as f64 / 1e9);
        }
    }
}

/// The fields stand behind the program's name, which is in parentheses and may hold any character.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(") ")?;
    // proc(5) counts from 1, and the first field here is its third.
    let field = |number: usize| fields.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    Some(Stat {
        cpu_ticks: field(14)? + field(15)?,
        start_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

fn parse_boot_seconds(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_name_may_be_anything() {
        let text = "42 (a b) (c) S 1 2 3 4 5 6 7 8 9 10 70 30 0 0 20 0 5 0 1234 4096000 99 18446744073709551615 1";
        let expected = Stat { cpu_ticks: 100, start_ticks: 1234, virtual_bytes: 4_096_000, resident_pages: 99 };
        assert_eq!(parse_stat(text), Some(expected));
        for broken in ["", "42 (a", "42 (a) S 1 2 3", "42 (a) S x x x x x x x x x x x x x x x x x x x x x x"] {
            assert_eq!(parse_stat(broken), None, "{broken}");
        }
    }

    #[test]
    fn the_time_of_boot_is_found() {
        assert_eq!(parse_boot_seconds("cpu 1 2\nbtime 1790000000\nprocesses 3\n"), Some(1_790_000_000));
        assert_eq!(parse_boot_seconds("cpu 1 2\n"), None);
    }
}
