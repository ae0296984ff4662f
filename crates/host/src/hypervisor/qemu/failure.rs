//! QEMU's last words, turned into an error that a user can act on. Pure.

use novacron_model::{Code, Error};

/// What QEMU said before it ended, when it could not start.
pub(super) fn of_start(name: &str, ended: Option<&str>, output: &str) -> Error {
    let said = last_line(output);
    // The line that tells may be followed by advice.
    if let Some(error) = output.lines().rev().find_map(known) {
        return error;
    }
    let ended = ended.unwrap_or("QEMU ended");
    let message = match said {
        Some(said) => format!("VM \"{name}\" could not be started: {said}"),
        None => format!("VM \"{name}\" could not be started: {ended} without a word"),
    };
    Error::unavailable(message).hint("see the VM's qemu log")
}

/// Why a running process ended, as one sentence. `ended`: when this daemon was its parent.
pub(super) fn of_run(ended: Option<&str>, output: &str) -> String {
    let ended = ended.unwrap_or("QEMU ended while no daemon watched");
    match last_line(output) {
        Some(said) => format!("{ended}: {said}"),
        None => ended.to_owned(),
    }
}

/// The last line that tells something, without the program's name in front.
fn last_line(output: &str) -> Option<&str> {
    let told = |line: &&str| !line.is_empty() && !line.starts_with(super::LOG_MARK);
    let line = output.lines().rev().map(str::trim).find(told)?;
    let words = line.split_once("qemu-system").and_then(|(_, rest)| rest.split_once(": "));
    Some(words.map_or(line, |(_, words)| words))
}

fn known(said: &str) -> Option<Error> {
    if said.contains("host forwarding rule") {
        let rule = said.split('\'').nth(1).unwrap_or(said);
        let mut parts = rule.split(':');
        let (address, port) = (parts.nth(1)?, parts.next()?.trim_end_matches('-'));
        return Some(
            Error::conflict(format!("port {port} on {address} is used by another program"))
                .hint("choose another host port, or end the program that listens there"),
        );
    }
    if said.contains("Failed to get") && said.contains("lock") {
        return Some(
            Error::conflict("a disk of the VM is in use by another process")
                .hint("end the other process that has the disk open"),
        );
    }
    if said.contains("Cannot allocate memory") || said.contains("cannot set up guest memory") {
        return Some(
            Error::new(Code::Exhausted, format!("the node is out of memory: {said}"))
                .hint("stop other VMs, or give this one less memory"),
        );
    }
    if said.contains("No space left on device") {
        return Some(Error::new(Code::StorageFull, format!("a disk is full: {said}")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let output = "qemu-system-x86_64: -netdev {\"type\": \"user\"}: \
            Could not set up host forwarding rule 'tcp:127.0.0.1:8080-:80'\n";
        let error = of_start("web", None, output);
        assert_eq!(error.message, "port 8080 on 127.0.0.1 is used by another program");
        assert_eq!(error.code, Code::Conflict);
    }

    #[test]
    fn a_disk_in_use_is_told_although_advice_follows() {
        let output = "qemu-system-x86_64: -device {}: Failed to get \"write\" lock\n\
            Is another process using the image [/pool/a.qcow2]?\n";
        let error = of_start("web", None, output);
        assert_eq!(error.message, "a disk of the VM is in use by another process");
    }

    #[test]
    fn unknown_words_are_passed_on() {
        let output = "qemu-system-x86_64: something: new\n\n";
        let error = of_start("web", None, output);
        assert_eq!(error.message, "VM \"web\" could not be started: something: new");
        let error = of_start("web", Some("QEMU was killed by signal 9"), "");
        assert!(error.message.ends_with("QEMU was killed by signal 9 without a word"), "{error}");
    }

    #[test]
    fn an_end_is_told_with_the_last_words() {
        assert_eq!(of_run(Some("QEMU ended with status 1"), "\n"), "QEMU ended with status 1");
        let told = of_run(None, "x\nqemu-system-x86_64: abort\n");
        assert_eq!(told, "QEMU ended while no daemon watched: abort");
    }
}
