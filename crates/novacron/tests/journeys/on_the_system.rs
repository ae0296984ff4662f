//! Installed on a whole system, not into a folder: its group, its socket, the daemon as its unit
//! starts it, and nothing of it left in the end. The system is this machine's, seen through an
//! overlay in namespaces of the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Builds the system below `$SCENE`, enters it and does what `$INSIDE` says.
const ENTER: &str = r#"
mount -t tmpfs tmpfs "$SCENE"
mkdir "$SCENE/upper" "$SCENE/work" "$SCENE/root"
root=$SCENE/root
mount -t overlay -o "lowerdir=/,upperdir=$SCENE/upper,workdir=$SCENE/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
# Without systemd, whatever the machine has.
mount -t tmpfs tmpfs "$root/run"
mkdir "$root/run/checkout"
mount --bind "$CHECKOUT" "$root/run/checkout"
install -m 0755 "$BINARY" "$root/run/novacron"
install -m 0755 "$INSIDE" "$root/run/inside"
ip link set lo up
exec env -i PATH="$PATH" BINARY=/run/novacron chroot "$root" bash -euxo pipefail /run/inside
"#;

const INSIDE: &str = r#"
refused() { if "$@"; then exit 1; fi; }
traces() { find /etc /usr/local /var -name '*novacron*' | sort; }
gone() { for path in "$@"; do refused [ -e "$path" ]; done; }
daemon() {
    $(sed -n 's/^ExecStart=//p' /etc/systemd/system/novacron.service) >> /run/log 2>&1 &
    pid=$!
    until novacron project list > /run/ready 2>&1; do
        kill -0 "$pid" || { cat /run/log; exit 1; }
        sleep 0.1
    done
}
end() { kill "$pid"; wait "$pid"; }

# What this machine may have of an installation.
rm -rf /var/lib/novacron /etc/novacron /etc/systemd/system/novacron* /usr/local/bin/novacron
if getent group novacron; then groupdel novacron; fi
before=$(traces)

/run/checkout/setup/install-system
getent group novacron
[ "$(stat -c '%G %a' /var/lib/novacron)" = 'novacron 710' ]
/run/checkout/setup/install-system | grep 'kept as they are'
useradd --no-create-home --groups novacron member
useradd --no-create-home stranger

daemon
[ "$(stat -c '%G %a' /var/lib/novacron/api.sock)" = 'novacron 660' ]
as() { user=$1; shift; setpriv --reuid "$user" --regid "$user" --init-groups env HOME=/ "$@"; }
export NOVACRON_DATA_DIR=/var/lib/novacron
as member novacron project create of-a-member
refused as stranger novacron project list
refused as member cat /var/lib/novacron/data.key
refused env PURGE=1 /run/checkout/setup/uninstall-system
[ -e /usr/local/bin/novacron ]
end

/run/checkout/setup/uninstall-system
gone /usr/local/bin/novacron /etc/systemd/system/novacron.service
[ -e /var/lib/novacron/store/meta ]
getent group novacron
# Back again, with what it had.
/run/checkout/setup/install-system
daemon
as member novacron project show of-a-member
end

env PURGE=1 /run/checkout/setup/uninstall-system
gone /var/lib/novacron /etc/novacron /usr/local/bin/novacron
refused getent group novacron
refused grep -q novacron /etc/group
[ "$(traces)" = "$before" ]
"#;

#[test]
fn a_system_gets_group_and_socket_and_is_as_before_once_it_is_purged() {
    let root = rustix::process::geteuid().is_root();
    assert!(root, "this test mounts a system of its own: run it as root");
    let dir = tempfile::tempdir().unwrap();
    let (scene, inside) = (dir.path().join("scene"), dir.path().join("inside"));
    fs::create_dir(&scene).unwrap();
    fs::write(&inside, INSIDE).unwrap();
    let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut system = Command::new("unshare");
    system.args(namespaces).args(["bash", "-euxo", "pipefail", "-c", ENTER]);
    system.env("SCENE", &scene).env("INSIDE", &inside);
    system.env("CHECKOUT", Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    system.env("BINARY", env!("CARGO_BIN_EXE_novacron"));
    let done = system.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}\n{}", text(&done.stdout), text(&done.stderr));
}
