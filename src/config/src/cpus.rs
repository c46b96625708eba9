//! The list of CPUs of `--cpus`, in the kernel's own notation: `0,2-3`.

/// The largest CPU number that can be named, plus one: what an affinity mask of the kernel holds by default.
const CPUS_MAX: usize = 1024;

/// Where executors run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CpuChoice {
    /// One executor, pinned, for each CPU of the process's own mask.
    Inherited,
    /// One executor, pinned, for each of these CPUs: sorted, at least one, none twice.
    Listed(Vec<usize>),
    /// One executor for each CPU of the process's own mask, pinned to none.
    Unpinned,
}

impl CpuChoice {
    /// Reads the flag's text. The error is the end of a sentence.
    pub fn parse(text: &str) -> Result<CpuChoice, String> {
        match text {
            "" => return Ok(CpuChoice::Inherited),
            "none" => return Ok(CpuChoice::Unpinned),
            _ => {}
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (parse_cpu(first)?, parse_cpu(last)?);
            if first > last {
                return Err(format!("has a range that runs backwards, {part}"));
            }
            for cpu in first..=last {
                if cpus.contains(&cpu) {
                    return Err(format!("names CPU {cpu} twice; executors do not share a CPU"));
                }
                cpus.push(cpu);
            }
        }
        cpus.sort_unstable();
        Ok(CpuChoice::Listed(cpus))
    }
}

fn parse_cpu(text: &str) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let cpu = text.parse::<usize>().ok().filter(|_| digits).ok_or("is not a list of CPUs such as 0,2-3, nor none")?;
    if cpu >= CPUS_MAX {
        return Err(format!("names CPU {cpu}; the largest is {}", CPUS_MAX - 1));
    }
    Ok(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_the_kernels() {
        let cases: &[(&str, &[usize])] = &[("0", &[0]), ("0,2-3", &[0, 2, 3]), ("5,1", &[1, 5]), ("7-7", &[7])];
        for (text, expected) in cases {
            assert_eq!(CpuChoice::parse(text), Ok(CpuChoice::Listed(expected.to_vec())), "{text}");
        }
        assert_eq!(CpuChoice::parse(""), Ok(CpuChoice::Inherited));
        assert_eq!(CpuChoice::parse("none"), Ok(CpuChoice::Unpinned));
        for text in ["a", "0,", "-1", "1-", "3-2", "0,0", "0-2,1", "1024", "0-99999999999999999999", "0 ,1", "+1"] {
            assert!(CpuChoice::parse(text).is_err(), "{text}");
        }
    }
}
