//! Figures of VMs and nodes.

use serde_json::{Map, Value, json};

use super::operation::{LABEL, Operation};

pub(super) fn add(paths: &mut Map<String, Value>) {
    hour("get_vm_figures", "Shows what a VM has used in the last hour.").at(
        paths,
        "get",
        "/v1/projects/{project}/vms/{name}/figures",
    );
    hour("get_node_figures", "Shows what a node has used in the last hour.").at(
        paths,
        "get",
        "/v1/nodes/{name}/figures",
    );
    let names = json!({ "type": "string", "pattern": format!("^{LABEL}(,{LABEL}){{0,199}}$") });
    list("get_vms_figures", "Shows what VMs use now, and their last quarter of an hour.")
        .query(
            "names",
            &names,
            "Only these, separated by commas; one that is not there is left out.",
        )
        .problems(&[404, 422])
        .at(paths, "get", "/v1/projects/{project}/figures");
    list("get_nodes_figures", "Shows what nodes use now, and their last quarter of an hour.").at(
        paths,
        "get",
        "/v1/figures",
    );
}

fn hour(id: &str, summary: &str) -> Operation {
    Operation::new("figures", id, summary)
        .describe(MEASURED)
        .query(
            "since",
            &json!({ "type": "string", "format": "date-time" }),
            "Only points since then, the one that holds the moment included.",
        )
        .json_answer(200, "The figures.", "Figures")
        .problems(&[404, 406, 422])
}

fn list(id: &str, summary: &str) -> Operation {
    Operation::new("figures", id, summary)
        .describe(MEASURED)
        .json_answer(200, "The figures.", "FigureList")
        .problems(&[406])
}

const MEASURED: &str = "Measured by the node and kept in its memory: after a restart of the daemon \
    the hour begins anew. What is not known is absent, as the traffic of `user` networks.";
