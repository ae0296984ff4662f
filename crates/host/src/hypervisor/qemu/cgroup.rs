//! A cgroup for each guest, outside the daemon's own, so that stopping the daemon's service does
//! not end guests. Version 2 and version 1 (its `name=systemd` tree) alike; no limits are set.
//!
//! A guest starts in the daemon's group and is moved once it answers, because a process cannot make
//! threads while the kernel moves it. A daemon that dies in between leaves that to the next one.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

#[derive(Debug, Clone, Default)]
pub(super) struct Cgroups {
    /// `<mount>/novacron` of each tree that service managers kill by.
    parents: Vec<PathBuf>,
}

impl Cgroups {
    /// The trees in which this process may make groups.
    pub fn probe() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut seen = BTreeSet::new();
        let mut parents = Vec::new();
        for Tree { device, mount } in trees(&mounts) {
            let parent = mount.join("novacron");
            // A tree may be mounted several times, some of them read-only.
            if !seen.contains(&device) && usable(&parent) {
                seen.insert(device);
                parents.push(parent);
            }
        }
        Self { parents }
    }

    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// Moves a guest's process into a group of its own in each tree where it is not in one yet.
    /// What fails is left out: the guest then stays in the daemon's group. The kernel may take ten
    /// milliseconds and more to move a process, so nothing should wait for it. `lives` is asked
    /// right before: the pid must not be another process's by then.
    pub fn admit(&self, uid: Uuid, pid: u32, lives: impl Fn() -> bool) {
        for parent in &self.parents {
            let group = parent.join(uid.to_string());
            if !lives() || holds(&group, pid) {
                continue;
            }
            let moved = make(&group)
                .and_then(|()| fs::write(group.join("cgroup.procs"), format!("{pid}\n")));
            if let Err(error) = moved {
                tracing::debug!(%uid, %error, group = %group.display(), "no cgroup for the guest");
                // It ended just now, most likely, and nobody else would clear this up.
                let _ = fs::remove_dir(&group);
            }
        }
    }

    /// The guest's process must be gone.
    pub fn remove(&self, uid: Uuid) {
        for parent in &self.parents {
            // Fails while the kernel still takes the process apart, or if there is none; an empty
            // group does no harm and is taken again at the next start.
            let _ = fs::remove_dir(parent.join(uid.to_string()));
        }
    }
}

fn holds(group: &Path, pid: u32) -> bool {
    let members = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    members.lines().any(|member| member == pid.to_string())
}

fn usable(parent: &Path) -> bool {
    make(parent).is_ok() && File::options().write(true).open(parent.join("cgroup.procs")).is_ok()
}

fn make(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A mounted hierarchy.
#[derive(Debug, PartialEq, Eq)]
struct Tree {
    /// The same for all mounts of one hierarchy.
    device: String,
    mount: PathBuf,
}

/// Mounts of version 2 and of version 1's `name=systemd` in `/proc/self/mountinfo` (proc(5): the
/// third field is the device, the fifth the mount point; after `-` come type, source and super
/// options).
fn trees(mountinfo: &str) -> Vec<Tree> {
    let tree = |line: &str| {
        let (mount, kind) = line.split_once(" - ")?;
        let mount: Vec<&str> = mount.split(' ').collect();
        let (device, point) = (*mount.get(2)?, *mount.get(4)?);
        let mut kind = kind.split(' ');
        let wanted = match kind.next()? {
            "cgroup2" => true,
            "cgroup" => kind.nth(1)?.split(',').any(|option| option == "name=systemd"),
            _ => false,
        };
        wanted.then(|| Tree { device: device.to_owned(), mount: PathBuf::from(point) })
    };
    mountinfo.lines().filter_map(tree).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found_among_mounts() {
        let mounts = "\
            25 24 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            26 25 0:23 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
            27 25 0:24 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n\
            28 25 0:25 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n\
            99 90 0:25 / /srv/chroot/sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let expected = [
            ("0:24", "/sys/fs/cgroup/systemd"),
            ("0:25", "/sys/fs/cgroup/unified"),
            ("0:25", "/srv/chroot/sys/fs/cgroup"),
        ];
        let expected = expected
            .map(|(device, mount)| Tree { device: device.to_owned(), mount: PathBuf::from(mount) });
        assert_eq!(trees(mounts), expected);
    }
}
