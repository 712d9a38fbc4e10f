//! What this machine has: free memory, free disk and speed.

use std::path::Path;
use std::time::Instant;

use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::{Precision, Threads};

/// Memory that this process may take, in bytes; `None` where the system does not tell.
pub(super) fn free_memory() -> Option<u64> {
    let of_machine = available();
    let of_group = of_control_group();
    match (of_machine, of_group) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

#[cfg(target_os = "linux")]
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// macOS compresses and swaps before it refuses; three quarters of what is built in is left to a program.
#[cfg(target_os = "macos")]
fn available() -> Option<u64> {
    let output = std::process::Command::new("sysctl")
        .args(["-n", "hw.memsize"])
        .output()
        .ok()?;
    let bytes: u64 = std::str::from_utf8(&output.stdout)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(bytes / 4 * 3)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn available() -> Option<u64> {
    None
}

/// What a container leaves: its limit without what is in use and cannot be dropped.
fn of_control_group() -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(name)).ok()?;
        text.trim().parse().ok()
    };
    let limit = number("memory.max")?;
    let used = number("memory.current").unwrap_or_default();
    let statistics = std::fs::read_to_string("/sys/fs/cgroup/memory.stat").unwrap_or_default();
    let files = statistics
        .lines()
        .find_map(|line| line.strip_prefix("file "));
    let files: u64 = files
        .and_then(|files| files.parse().ok())
        .unwrap_or_default();
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

/// Bytes that a new file in a folder, or in the nearest folder above that is there, may have.
#[cfg(unix)]
pub(super) fn free_disk(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|folder| folder.exists())?;
    let statistics = nix::sys::statvfs::statvfs(existing).ok()?;
    #[allow(
        clippy::unnecessary_cast,
        reason = "their width differs between systems"
    )]
    let free = statistics.blocks_available() as u64 * statistics.fragment_size() as u64;
    Some(free)
}

#[cfg(not(unix))]
pub(super) fn free_disk(_folder: &Path) -> Option<u64> {
    None
}

/// Multiplications and additions a second, of a product like those of a training.
pub(super) fn flops_per_second(precision: Precision) -> f64 {
    const N: usize = 768;
    let values = vec![0.5f32; N * N];
    let mut out = vec![0.0f32; N * N];
    let factor = Factor::dense(&values, N, N);
    let mut fastest = f64::INFINITY;
    // The first product warms caches and wakes threads.
    for _ in 0..4 {
        let started = Instant::now();
        precision.matmul(&mut out, 0.0, 1.0, factor, factor, Threads::All);
        fastest = fastest.min(started.elapsed().as_secs_f64());
    }
    2.0 * (N * N * N) as f64 / fastest
}
