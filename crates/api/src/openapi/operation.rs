//! The parts that operations are put together from: parameters, bodies, answers.

use serde_json::{Map, Value, json};

/// Problem statuses with their response's name and meaning.
const PROBLEMS: [(u16, &str, &str); 15] = [
    (400, "Malformed", "The request is malformed: not JSON, a wrong type, an unknown field."),
    (401, "Unauthenticated", "No session or token, or one that is not valid."),
    (403, "Denied", "Not allowed."),
    (404, "NotFound", "There is no such thing."),
    (406, "NotAcceptable", "No content type that the client accepts."),
    (409, "Conflict", "The state of the world forbids it now, or a quota is used up."),
    (412, "PreconditionFailed", "`If-Match` does not name the newest revision."),
    (413, "TooLarge", "The body is too large."),
    (415, "UnsupportedMediaType", "The body has a content type that is not taken here."),
    (422, "Unprocessable", "Well-formed, but wrong; `field` says where."),
    (426, "UpgradeRequired", "Only WebSockets are served here."),
    (501, "Unsupported", "This node or driver has no such power."),
    (503, "Unavailable", "Not now; try again."),
    (504, "Timeout", "It took too long."),
    (507, "StorageFull", "The disk is full."),
];

/// Problems that any operation can answer with.
const ALWAYS: [u16; 4] = [400, 401, 403, 503];

pub(super) fn problem_responses() -> Value {
    let each = PROBLEMS.map(|(_, name, description)| {
        let content = json!({ "application/problem+json": { "schema": schema_ref("Problem") } });
        (name.to_owned(), json!({ "description": description, "content": content }))
    });
    Value::Object(Map::from_iter(each))
}

pub(super) fn schema_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// One operation under construction.
pub(super) struct Operation(Map<String, Value>);

impl Operation {
    pub fn new(tag: &str, id: &str, summary: &str) -> Self {
        let start = json!({
            "tags": [tag], "operationId": id, "summary": summary, "parameters": [], "responses": {},
        });
        let Value::Object(fields) = start else { unreachable!("an object literal") };
        Self(fields).problems(&ALWAYS)
    }

    pub fn open(mut self) -> Self {
        self.0.insert("security".to_owned(), json!([]));
        if let Some(answers) = self.0["responses"].as_object_mut() {
            answers.remove("401");
        }
        self
    }

    pub fn describe(mut self, text: &str) -> Self {
        self.0.insert("description".to_owned(), text.into());
        self
    }

    pub fn parameter(mut self, parameter: Value) -> Self {
        if let Some(list) = self.0["parameters"].as_array_mut() {
            list.push(parameter);
        }
        self
    }

    pub fn query(self, name: &str, schema: &Value, description: &str) -> Self {
        self.parameter(json!({
            "name": name, "in": "query", "description": description, "schema": schema,
        }))
    }

    pub fn header(self, name: &str, schema: &Value, description: &str) -> Self {
        self.parameter(json!({
            "name": name, "in": "header", "description": description, "schema": schema,
        }))
    }

    /// A body in one or more content types.
    pub fn body(mut self, required: bool, content: &[(&str, Value)]) -> Self {
        let body = json!({ "required": required, "content": content_map(content) });
        self.0.insert("requestBody".to_owned(), body);
        self.problems(&[413, 415])
    }

    pub fn json_body(self, required: bool, schema: &str) -> Self {
        self.body(required, &[("application/json", schema_ref(schema))])
    }

    pub fn answer(self, status: u16, description: &str, content: &[(&str, Value)]) -> Self {
        self.answer_with(status, description, content, &[])
    }

    pub fn answer_with(
        mut self,
        status: u16,
        description: &str,
        content: &[(&str, Value)],
        headers: &[(&str, &str)],
    ) -> Self {
        let mut answer = json!({ "description": description });
        if !content.is_empty() {
            answer["content"] = content_map(content);
        }
        for (name, meaning) in headers {
            answer["headers"][*name] = json!({
                "description": meaning, "schema": { "type": "string" },
            });
        }
        self.0["responses"][status.to_string()] = answer;
        self
    }

    pub fn consistent(self) -> Self {
        self.query(
            "consistent",
            &json!({ "type": "boolean" }),
            "Answer with a state at least as new as everything acknowledged so far.",
        )
    }

    pub fn json_answer(self, status: u16, description: &str, schema: &str) -> Self {
        self.answer(status, description, &[("application/json", schema_ref(schema))])
    }

    pub fn problems(mut self, statuses: &[u16]) -> Self {
        for (status, name, _) in PROBLEMS.iter().filter(|(each, ..)| statuses.contains(each)) {
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            self.0["responses"][status.to_string()] = reference;
        }
        self
    }

    /// Puts the operation where it belongs.
    pub fn at(self, paths: &mut Map<String, Value>, method: &str, path: &str) {
        let entry = paths.entry(path).or_insert_with(|| json!({ "parameters": path_params(path) }));
        entry[method] = Value::Object(self.0);
    }
}

fn content_map(content: &[(&str, Value)]) -> Value {
    let each = content.iter().map(|(media, schema)| {
        let part = if schema.is_null() { json!({}) } else { json!({ "schema": schema }) };
        ((*media).to_owned(), part)
    });
    Value::Object(each.collect())
}

/// A DNS label, which is what most names are, as a regular expression without anchors.
pub(super) const LABEL: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/// The parameters that stand in a path's braces.
fn path_params(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let each = names.map(|name| {
        let snapshot = path.contains("/snapshots/") && name == "name";
        let label = LABEL;
        let schema = match name {
            "name" if path.contains("/tasks/") => json!({ "type": "string", "format": "uuid" }),
            "name" if snapshot => {
                json!({ "type": "string", "pattern": format!("^{label}\\.{label}$") })
            }
            _ => json!({ "type": "string", "pattern": format!("^{label}$") }),
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    each.collect()
}
