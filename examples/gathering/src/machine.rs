//! The memory and the disk under the service.

use std::fs;

/// A part of something, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Free {
    pub(crate) free: u64,
    pub(crate) total: u64,
}

impl Free {
    /// The free part in percent.
    pub(crate) fn percent(self) -> u64 {
        match self.total {
            0 => 0,
            total => u64::try_from(u128::from(self.free) * 100 / u128::from(total)).unwrap_or(100),
        }
    }
}

/// Memory, where the system tells. Reads a file.
pub(crate) fn memory() -> Option<Free> {
    meminfo(&fs::read_to_string("/proc/meminfo").ok()?)
}

/// The disk of the working directory. Asks the file system, which may take its time.
pub(crate) fn disk() -> Option<Free> {
    let disk = rustix::fs::statvfs(".").ok()?;
    Some(Free { free: disk.f_bavail.saturating_mul(disk.f_frsize), total: disk.f_blocks.saturating_mul(disk.f_frsize) })
}

fn meminfo(text: &str) -> Option<Free> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(Free { free: bytes("MemAvailable:")?, total: bytes("MemTotal:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:       16384 kB\nMemFree:         1024 kB\nMemAvailable:    4096 kB\n";
        let memory = meminfo(text).unwrap();
        assert_eq!((memory.free, memory.total, memory.percent()), (4096 * 1024, 16384 * 1024, 25));
        assert_eq!(meminfo("MemTotal: x kB"), None);
    }
}
