//! Types from schemas: every object and enumeration of the OpenAPI components becomes a GraphQL
//! type, and once more an input type where clients send it.

use std::collections::BTreeSet;

use async_graphql::Value as Graph;
use async_graphql::dynamic::{
    Enum, Field, FieldFuture, FieldValue, InputObject, InputValue, Object, Scalar, SchemaBuilder,
    TypeRef,
};
use serde_json::{Map, Value};

use crate::openapi::schemas;
use crate::table;

pub(super) const LONG: &str = "Long";
pub(super) const JSON: &str = "JSON";

/// The components, and what they are called here.
pub(super) struct Types {
    pub components: Map<String, Value>,
    /// Components that clients send.
    inward: BTreeSet<String>,
}

/// What a schema is in GraphQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Scalar(&'static str),
    Enum(String),
    Object(String),
    List(Box<Self>),
    /// Items may be null.
    Sparse(Box<Self>),
}

impl Types {
    pub fn new() -> Self {
        let rows = table::rows();
        let components = schemas::components(&rows);
        let inward = schemas::reachable_from_requests(&components, &rows);
        Self { components, inward }
    }

    /// Adds all types to a schema.
    pub fn register(&self, builder: SchemaBuilder) -> SchemaBuilder {
        let mut builder = builder.register(Scalar::new(LONG)).register(Scalar::new(JSON));
        for (name, schema) in &self.components {
            match self.named(name) {
                Shape::Enum(_) => builder = builder.register(enumeration(name, schema)),
                Shape::Object(_) => {
                    builder = builder.register(self.output(name, schema));
                    if self.inward.contains(name) {
                        builder = builder.register(self.input(name, schema));
                    }
                }
                Shape::Scalar(_) | Shape::List(_) | Shape::Sparse(_) => {}
            }
        }
        builder
    }

    /// What a component is.
    pub fn named(&self, name: &str) -> Shape {
        Shape::named(&self.components, name)
    }

    pub fn shape(&self, schema: &Value) -> Shape {
        Shape::of(&self.components, schema)
    }

    fn output(&self, name: &str, schema: &Value) -> Object {
        let mut object = Object::new(name);
        for (field, property, required) in properties(schema) {
            object = object.field(self.output_field(field, property, required));
        }
        super::query::stream_urls(name, object)
    }

    fn output_field(&self, name: &str, property: &Value, required: bool) -> Field {
        let shape = self.shape(property);
        let (key, reads) = (name.to_owned(), shape.clone());
        Field::new(camel(name), shape.output(required), move |ctx| {
            let (key, reads) = (key.clone(), reads.clone());
            FieldFuture::new(async move {
                let parent = ctx.parent_value.try_downcast_ref::<Value>()?;
                Ok(parent.get(&key).and_then(|value| reads.borrowed(value)))
            })
        })
    }

    fn input(&self, name: &str, schema: &Value) -> InputObject {
        let mut object = InputObject::new(input_name(name));
        for (field, property, required) in properties(schema) {
            let kind = self.shape(property).input(required);
            object = object.field(InputValue::new(camel(field), kind));
        }
        object
    }
}

impl Shape {
    fn named(components: &Map<String, Value>, name: &str) -> Self {
        let Some(schema) = components.get(name) else { return Self::Scalar(JSON) };
        if schema.get("enum").is_some() {
            return Self::Enum(name.to_owned());
        }
        let fields = schema.get("properties").and_then(Value::as_object);
        if fields.is_some_and(|fields| !fields.is_empty()) {
            return Self::Object(name.to_owned());
        }
        if schema.get("type").is_some_and(|kind| kind != "object") {
            return Self::of(components, schema);
        }
        Self::Scalar(JSON)
    }

    pub fn of(components: &Map<String, Value>, schema: &Value) -> Self {
        if let Some(name) = schemas::nested(schema) {
            return Self::named(components, &name);
        }
        if let Some(inner) = unwrapped(schema) {
            return Self::of(components, inner);
        }
        let kind = match &schema["type"] {
            Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null"),
            kind => Some(kind),
        };
        match kind.and_then(Value::as_str).unwrap_or_default() {
            "string" => Self::Scalar(TypeRef::STRING),
            "boolean" => Self::Scalar(TypeRef::BOOLEAN),
            "number" => Self::Scalar(TypeRef::FLOAT),
            "integer" => {
                let small =
                    schema["maximum"].as_i64().is_some_and(|max| max <= i64::from(i32::MAX));
                Self::Scalar(if small { TypeRef::INT } else { LONG })
            }
            "array" => {
                let item = Box::new(Self::of(components, &schema["items"]));
                let kinds = schema["items"]["type"].as_array();
                let sparse = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"));
                if sparse { Self::Sparse(item) } else { Self::List(item) }
            }
            _ => Self::Scalar(JSON),
        }
    }

    pub fn output(&self, required: bool) -> TypeRef {
        self.reference(required, &|name| name.to_owned())
    }

    pub fn input(&self, required: bool) -> TypeRef {
        self.reference(required, &input_name)
    }

    fn reference(&self, required: bool, object: &dyn Fn(&str) -> String) -> TypeRef {
        let inner = match self {
            Self::Scalar(name) => TypeRef::named(*name),
            Self::Enum(name) => TypeRef::named(name.clone()),
            Self::Object(name) => TypeRef::named(object(name)),
            Self::List(item) => TypeRef::List(Box::new(item.reference(true, object))),
            Self::Sparse(item) => TypeRef::List(Box::new(item.reference(false, object))),
        };
        if required { TypeRef::NonNull(Box::new(inner)) } else { inner }
    }

    /// A value of this shape, as resolvers hand it on; `None` for null.
    pub fn borrowed<'a>(&self, value: &'a Value) -> Option<FieldValue<'a>> {
        match (self, value) {
            (_, Value::Null) => None,
            (Self::Object(_), value) => Some(FieldValue::borrowed_any(value)),
            (Self::List(item) | Self::Sparse(item), Value::Array(items)) => {
                let each = items.iter().map(|each| item.borrowed(each).unwrap_or(FieldValue::NULL));
                Some(FieldValue::list(each))
            }
            (_, value) => Some(FieldValue::value(graph(value))),
        }
    }
}

fn enumeration(name: &str, schema: &Value) -> Enum {
    let words = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Enum::new(name).items(words.map(str::to_owned))
}

/// Name, schema, whether it is required.
fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value, bool)> {
    let required = |name: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).any(|each| each == name)
    };
    let fields = schema["properties"].as_object().into_iter().flatten();
    fields.map(move |(name, property)| (name.as_str(), property, required(name)))
}

/// The only choice beside null.
fn unwrapped(schema: &Value) -> Option<&Value> {
    let parts = ["oneOf", "anyOf"].into_iter().find_map(|key| schema.get(key)?.as_array())?;
    let mut others = parts.iter().filter(|part| part["type"] != "null");
    let only = others.next()?;
    others.next().is_none().then_some(only)
}

/// An input type is called after the object that it makes.
pub(super) fn input_name(name: &str) -> String {
    format!("{name}Input")
}

pub(super) fn graph(value: &Value) -> Graph {
    Graph::from_json(value.clone()).unwrap_or(Graph::Null)
}

/// `next_page_token` → `nextPageToken`, `join-tokens` → `joinTokens`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut up = false;
    for letter in name.chars() {
        match letter {
            '_' | '-' => up = true,
            _ if up => {
                out.extend(letter.to_uppercase());
                up = false;
            }
            _ => out.push(letter),
        }
    }
    out
}

/// A field that stands under its own name in the parent's JSON.
pub(super) fn plain(name: &'static str, shape: Shape, required: bool) -> Field {
    Field::new(name, shape.output(required), move |ctx| {
        let shape = shape.clone();
        FieldFuture::new(async move {
            let parent = ctx.parent_value.try_downcast_ref::<Value>()?;
            Ok(parent.get(name).and_then(|value| shape.borrowed(value)))
        })
    })
}
