//! What processes use, as `/proc` tells it. Of one that is gone it is nothing.

use std::collections::BTreeMap;

/// Processor time is told in these.
pub const TICKS_PER_SECOND: u64 = 100;

/// The bytes of a process that are in memory.
pub fn resident_bytes(id: u32) -> u64 {
    kilobytes(id, "status", "VmRSS:") * 1024
}

/// The most bytes of a process that have been in memory at once so far.
pub fn peak_resident_bytes(id: u32) -> u64 {
    kilobytes(id, "status", "VmHWM:") * 1024
}

/// The bytes in memory of a process and all that descend from it; what they share is counted once.
pub fn resident_bytes_of_tree(id: u32) -> u64 {
    let ids = tree(id);
    ids.iter().map(|id| kilobytes(*id, "smaps_rollup", "Pss:") * 1024).sum()
}

/// The processor time of a process so far, in ticks.
pub fn ticks(id: u32) -> u64 {
    Stat::of(id).map_or(0, |stat| stat.ticks)
}

/// The processor time, in ticks, of a process and all that descend from it, those included that have
/// ended and were waited for.
pub fn ticks_of_tree(id: u32) -> u64 {
    let stats = tree(id).into_iter().filter_map(Stat::of);
    stats.map(|stat| stat.ticks + stat.ticks_of_ended).sum()
}

/// The processor time of a process so far by the name of the thread, in ticks.
pub fn ticks_by_thread(id: u32) -> BTreeMap<String, u64> {
    let mut ticks = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        if let Some(stat) = Stat::read(&text) {
            *ticks.entry(stat.name).or_default() += stat.ticks;
        }
    }
    ticks
}

/// A process and all that descend from it.
fn tree(root: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: Vec<(u32, u32)> =
        ids.filter_map(|id| Stat::of(id).map(|stat| (id, stat.parent))).collect();
    let mut found = vec![root];
    let mut looked_at = 0;
    while let Some(of) = found.get(looked_at).copied() {
        found.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(id, _)| *id));
        looked_at += 1;
    }
    found
}

fn kilobytes(id: u32, file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// A line of `/proc/*/stat`: see proc(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    ticks: u64,
    ticks_of_ended: u64,
}

impl Stat {
    fn of(id: u32) -> Option<Self> {
        Self::read(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    fn read(line: &str) -> Option<Self> {
        // The name may have brackets and spaces of its own.
        let (name, rest) = line.split_once('(')?.1.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            ticks: field(11)? + field(12)?,
            ticks_of_ended: field(13)? + field(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_moves_no_field() {
        let line = "7 (a (b) c) S 3 7 7 0 -1 4194560 1 2 3 4 50 60 700 800 20 0 2";
        let read = Stat { name: "a (b) c".into(), parent: 3, ticks: 110, ticks_of_ended: 1500 };
        assert_eq!(Stat::read(line), Some(read));
    }

    #[test]
    fn a_child_belongs_to_the_tree_of_its_parent() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = tree(std::process::id());
        assert!(found.contains(&std::process::id()) && found.contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!tree(std::process::id()).contains(&child.id()));
    }
}
