//! Queries of figures.

use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, ResolverContext, TypeRef,
};
use novacron_model::{Kind, Scope, Time, Vm};
use serde::Serialize;

use super::inputs::{argument, needed, project_argument, project_of, text, texts};
use super::{api, caller, failed};
use crate::figures;
use crate::problem::Answer;
use crate::resource::Target;
use crate::table;

pub(super) fn fields() -> [Field; 4] {
    [vm(), node(), vms(), nodes()]
}

fn vm() -> Field {
    let field = Field::new("vmFigures", TypeRef::named_nn("Figures"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let project = project_of(&ctx, &table::row_of(Vm::KIND))?;
            let name = text(&ctx, "name")?.unwrap_or_default();
            let target = Target { project: project.as_deref(), name: &name };
            value(figures::of_vm(api(&ctx)?, target, since(&ctx)?).await)
        })
    });
    in_project(field)
        .argument(needed("name", TypeRef::STRING))
        .argument(argument("since", TypeRef::STRING))
}

fn node() -> Field {
    Field::new("nodeFigures", TypeRef::named_nn("Figures"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let name = text(&ctx, "name")?.unwrap_or_default();
            value(figures::of_node(api(&ctx)?, &name, since(&ctx)?).await)
        })
    })
    .argument(needed("name", TypeRef::STRING))
    .argument(argument("since", TypeRef::STRING))
}

fn vms() -> Field {
    let field = Field::new("vmsFigures", TypeRef::named_nn("FigureList"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            let project = project_of(&ctx, &table::row_of(Vm::KIND))?;
            let given = ctx.args.get("names").is_some_and(|names| !names.is_null());
            let names = texts(&ctx, "names")?;
            let names = given.then_some(names.as_slice());
            value(figures::of_vms(api(&ctx)?, project.as_deref(), names).await)
        })
    });
    in_project(field).argument(InputValue::new("names", TypeRef::named_nn_list(TypeRef::STRING)))
}

fn nodes() -> Field {
    Field::new("nodesFigures", TypeRef::named_nn("FigureList"), |ctx| {
        FieldFuture::new(async move {
            caller(&ctx)?;
            value(figures::of_nodes(api(&ctx)?).await)
        })
    })
}

fn in_project(field: Field) -> Field {
    project_argument(Scope::Project).into_iter().fold(field, Field::argument)
}

fn since(ctx: &ResolverContext<'_>) -> async_graphql::Result<Option<Time>> {
    let since = text(ctx, "since")?;
    since.as_deref().map(figures::parse_since).transpose().map_err(failed)
}

fn value<T: Serialize>(answer: Answer<T>) -> async_graphql::Result<Option<FieldValue<'static>>> {
    Ok(Some(FieldValue::owned_any(serde_json::to_value(answer.map_err(failed)?)?)))
}
