//! What leads into a guest or a node: exec, files, logs, consoles, uploads, exports.

use serde_json::{Map, Value, json};

use super::operation::{LABEL, Operation, schema_ref};

const VM: &str = "/v1/projects/{project}/vms/{name}";
const CONTENT: &str = "/v1/projects/{project}/images/{name}/content";

pub(super) fn add(paths: &mut Map<String, Value>) {
    exec().at(paths, "post", &format!("{VM}/exec"));
    pull().at(paths, "get", &format!("{VM}/files"));
    push().at(paths, "put", &format!("{VM}/files"));
    vm_logs().at(paths, "get", &format!("{VM}/logs"));
    node_logs().at(paths, "get", "/v1/nodes/{name}/logs");
    tickets().at(paths, "post", &format!("{VM}/tickets"));
    let replay = json!({ "type": "integer", "minimum": 0, "maximum": 1_048_576 });
    socket("serial", "Opens the serial console.")
        .query("replay", &replay, "How many bytes of earlier output come first; 65536 unless said.")
        .at(paths, "get", &format!("{VM}/serial"));
    socket("screen", "Opens the screen (RFB).").at(paths, "get", &format!("{VM}/screen"));
    export_volume().at(paths, "get", "/v1/projects/{project}/volumes/{name}/export");
    export_vm().at(paths, "get", &format!("{VM}/export"));
    upload().at(paths, "put", CONTENT);
    uploaded().at(paths, "get", CONTENT);
}

fn guest(id: &str, summary: &str) -> Operation {
    Operation::new("guests", id, summary).problems(&[404, 409, 422, 501, 504])
}

fn exec() -> Operation {
    guest("exec_vm", "Runs a program in the guest, through its guest agent.")
        .json_body(true, "ExecRequest")
        .json_answer(200, "The program has ended.", "ExecResult")
}

fn path_parameter(operation: Operation) -> Operation {
    operation.parameter(json!({
        "name": "path", "in": "query", "required": true,
        "description": "Absolute path in the guest, such as `/etc/hosts` or `C:\\hosts`.",
        "schema": { "type": "string", "pattern": "^(/|[A-Za-z]:[\\\\/])[^\\x00]*$", "maxLength": 4096 },
    }))
}

fn pull() -> Operation {
    path_parameter(guest("pull_file", "Reads a file of the guest.")).answer(
        200,
        "The file.",
        &[("application/octet-stream", Value::Null)],
    )
}

fn push() -> Operation {
    path_parameter(guest("push_file", "Writes a file in the guest, whole."))
        .body(false, &[("application/octet-stream", Value::Null)])
        .answer(204, "Written.", &[])
}

fn vm_logs() -> Operation {
    let source = json!({ "type": "string", "enum": ["serial", "qemu", "agent"] });
    let operation =
        guest("vm_logs", "Shows what the serial line, the hypervisor or the node's agent said.");
    log(operation.query("source", &source, "Which log; the serial line's unless said."))
}

fn node_logs() -> Operation {
    let summary = "Shows what a node's daemon has logged since its start.";
    log(Operation::new("nodes", "node_logs", summary).describe(NODE_LOG).problems(&[404, 503]))
}

const NODE_LOG: &str = "The daemon's own log, as its settings filter it: the newest 10000 lines or \
    4 MiB. Where one process simulates several nodes, each shows the lines of its own agent and those \
    that belong to no single node.";

fn log(operation: Operation) -> Operation {
    operation
        .query(
            "tail",
            &json!({ "type": "integer", "minimum": 0, "maximum": 67_108_864 }),
            "How many of the newest bytes; 65536 unless said.",
        )
        .query("follow", &json!({ "type": "boolean" }), "Go on with what comes.")
        .answer(200, "The log.", &[("text/plain", json!({ "type": "string" }))])
}

fn tickets() -> Operation {
    guest("create_ticket", "Makes a ticket that opens one WebSocket within 30 seconds.")
        .json_body(true, "TicketRequest")
        .json_answer(201, "The ticket.", "Ticket")
}

fn socket(stream: &str, summary: &str) -> Operation {
    guest(&format!("open_{stream}"), summary)
        .describe("A WebSocket with binary frames. A ticket stands in for other credentials.")
        .query("ticket", &json!({ "type": "string" }), "From `tickets`.")
        .answer(101, "The WebSocket is open.", &[])
        .problems(&[426])
}

fn export_volume() -> Operation {
    let format = json!({ "type": "string", "enum": ["qcow2", "raw"] });
    Operation::new("volumes", "export_volume", "Sends what a volume holds, as one disk file.")
        .describe(EXPORT)
        .query("format", &format, "Of the file; qcow2 unless said.")
        .query("snapshot", &snapshot_name(), SNAPSHOT)
        .answer(200, "The file.", &[("application/octet-stream", Value::Null)])
        .problems(&[404, 409, 422, 503, 507])
}

fn export_vm() -> Operation {
    guest("export_vm", "Sends a whole VM as one file that can be imported as an image.")
        .describe(EXPORT_VM)
        .query("snapshot", &snapshot_name(), SNAPSHOT)
        .answer(200, "A tar archive.", &[("application/octet-stream", Value::Null)])
        .problems(&[503, 507])
}

/// With or without the VM's name.
fn snapshot_name() -> Value {
    json!({ "type": "string", "pattern": format!("^{LABEL}(\\.{LABEL})?$") })
}

const EXPORT_VM: &str = "A tar archive of what the VM is like and all its disks, without passwords, \
    media in drives, UEFI variables and the TPM's state. Sent as the content of an image it becomes \
    one of kind `bundle` with a `machine`, from which VMs are made. It is put together on the node \
    first, which takes the room of a copy of the disks until the client has it. The VM must be \
    stopped, or a snapshot named.";
const EXPORT: &str = "The file names no other and is as long as `Content-Length` says. It is put \
    together on the node first, which takes the room of a copy until the client has it. The VM must \
    be stopped, or a snapshot named.";
const SNAPSHOT: &str = "A snapshot of the VM (`SNAPSHOT` or `VM.SNAPSHOT`) that is read in place of \
    what the disks hold now.";

fn upload() -> Operation {
    let bytes = json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX });
    let from = json!({ "type": "string", "enum": ["descriptor"] });
    Operation::new("images", "upload_image", "Sends the content of an image.")
        .describe(UPLOAD)
        .header("Upload-Offset", &bytes, "Where this part begins: what has arrived so far.")
        .header("Upload-Length", &bytes, "Bytes of the whole; needed beside `Upload-Offset`.")
        .header("Upload-From", &from, "An open file came with the request, on the unix socket.")
        .body(false, &[("application/octet-stream", Value::Null)])
        .json_answer(200, "The part has arrived; more is to come.", "Uploaded")
        .json_answer(202, "All bytes have arrived; the task follows the import.", "Task")
        .problems(&[404, 409, 422, 501, 504, 507])
}

const UPLOAD: &str = "Without `Upload-Offset` the body is the whole image, and nothing stays of one \
    that is cut. With it the body is the rest of the image, or a part of it: what has arrived \
    stays for a day when the connection breaks or the server restarts. `GET` tells how much that \
    is, and the next part begins there. A part that begins at 0 begins anew. With `Upload-From` there is \
    no body: on the unix socket a client hands over a file that it has opened (`SCM_RIGHTS`, beside \
    the first bytes of the request), the node reads it, and the answer comes when the import has \
    ended. The checksum then may follow after the image is ready, unless `spec.sha256` demands one.";

fn uploaded() -> Operation {
    Operation::new("images", "get_upload", "Tells how much of an image's content has arrived.")
        .answer_with(
            200,
            "How far it is.",
            &[("application/json", schema_ref("Uploaded"))],
            &[("Upload-Offset", "The same number as `offset`.")],
        )
        .problems(&[404, 409, 422])
}
