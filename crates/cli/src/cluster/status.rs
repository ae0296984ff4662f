//! `novacron cluster status`: the sentence, and the members as they are now.

use serde_json::Value;

use crate::failure::Result;
use crate::output;
use crate::session::{Session, now};
use crate::table::{self, Column, NONE, text};

const MEMBERS: &[Column] = &[
    Column::new("Name", |member, _| text(member, "/name")),
    Column::new("Role", |member, _| text(member, "/role")),
    Column::new("Votes", |member, _| text(member, "/voter")),
    Column::new("State", |member, _| state(member).to_owned()),
    Column::new("Behind", |member, _| text(member, "/lag")).right(),
    Column::new("Address", |member, _| text(member, "/address")),
];

pub async fn show(session: &Session) -> Result<()> {
    let view = session.client.get("/v1/cluster").await?;
    output::value(session.format, &view, || written(&view))
}

fn written(view: &Value) -> String {
    let members = view["members"].as_array().map(Vec::as_slice).unwrap_or_default();
    format!("{}\n\n{}", text(view, "/summary"), table::list(MEMBERS, members, now()))
}

fn state(member: &Value) -> &'static str {
    match (member["leader"].as_bool(), member["reachable"].as_bool()) {
        (Some(true), _) => "leader",
        (_, Some(true)) => "reachable",
        (_, Some(false)) => "lost",
        (_, None) => NONE,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_sentence_stands_above_the_members() {
        let view = json!({"summary": "any one of 3 voters may be lost", "members": [
            {"name": "a", "role": "auto", "voter": true, "leader": true, "reachable": true,
             "address": "10.0.0.1:7601"},
            {"name": "b", "role": "auto", "voter": true, "leader": false, "reachable": true,
             "lag": 3, "address": "10.0.0.2:7601"},
            {"name": "c", "role": "witness", "voter": true, "leader": false, "reachable": false,
             "address": "10.0.0.3:7601"},
            {"name": "d", "role": "worker", "voter": false, "leader": false, "address": ""}]});
        expect![[r"
            any one of 3 voters may be lost

            NAME  ROLE     VOTES  STATE      BEHIND  ADDRESS
            a     auto     yes    leader          -  10.0.0.1:7601
            b     auto     yes    reachable       3  10.0.0.2:7601
            c     witness  yes    lost            -  10.0.0.3:7601
            d     worker   no     -               -  -"]]
        .assert_eq(&written(&view));
    }
}
