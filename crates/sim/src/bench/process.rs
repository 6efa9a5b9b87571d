//! What the kernel says about a process: the time it has used and the memory it holds.
//!
//! Read from `/proc`, so on Linux only, and only for processes that we may see.

use std::fs;

use super::Fault;

/// The kernel tells times in hundredths of a second, on every machine.
const TICKS_PER_S: f64 = 100.0;

/// User and system time that a process has used since it started, in seconds.
pub(super) fn cpu_s(pid: u32) -> Result<f64, Fault> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|source| Fault::Process { pid, source })?;
    parse_cpu_s(&stat).ok_or(Fault::Unreadable { path })
}

/// Fields 14 and 15. The second field is the program's name, which may have anything in it but ends with `)`.
fn parse_cpu_s(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_S)
}

/// Memory that a process holds, in bytes, shared pages included.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, Fault> {
    // The sum over its mappings is exact; `status` may lag behind by some pages for each processor.
    let exact = format!("/proc/{pid}/smaps_rollup");
    if let Some(bytes) = fs::read_to_string(exact).ok().and_then(|it| parse_kib(&it, "Rss:")) {
        return Ok(bytes);
    }
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|source| Fault::Process { pid, source })?;
    parse_kib(&status, "VmRSS:").ok_or(Fault::Unreadable { path })
}

fn parse_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|it| it.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let stat = "12 (a) b (c)) S 1 12 12 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 0";
        assert_eq!(parse_cpu_s(stat), Some(3.0));
        assert_eq!(parse_cpu_s("12 (a"), None);
    }

    #[test]
    fn memory_is_told_in_kib() {
        assert_eq!(parse_kib("Name:\tx\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2048 * 1024));
        assert_eq!(parse_kib("Name:\tx\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_can_be_asked() {
        let pid = std::process::id();
        assert!(cpu_s(pid).unwrap() >= 0.0);
        assert!(resident_bytes(pid).unwrap() > 100_000);
        assert!(matches!(cpu_s(u32::MAX), Err(Fault::Process { .. })));
    }
}
