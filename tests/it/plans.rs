//! How Postgres runs the queries: at once. Compiling one to machine code takes it longer than a request may take.

use std::fs;

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::contract::case::{Case, TYPES};
use crate::postgres::Postgres;
use crate::support::soon;

/// The server's processes that work for the sessions of this database, by their ids.
async fn backends(database: &mut PgConnection) -> Vec<i32> {
    let of_us =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tiltyard %'";
    soon(sqlx::query_scalar(of_us).fetch_all(database)).await.unwrap()
}

#[tokio::test]
async fn no_query_is_compiled() {
    let url = Postgres::shared().database().await;
    let mut database = soon(PgConnection::connect(&url)).await.unwrap();
    // A database that compiles whatever it is asked, however cheap, unless it is asked not to.
    let name = url.rsplit('/').next().unwrap();
    for setting in ["jit = on", "jit_above_cost = 0"] {
        let alter = sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET {setting}"));
        soon(sqlx::raw_sql(alter).execute(&mut database)).await.unwrap();
    }
    let case = Case::on(&url);
    let player = Uuid::new_v4();
    for kind in TYPES {
        let session = case.create(kind, player).await;
        case.read(&session).await;
        case.get(&format!("/sessions?type={kind}")).expect(200).await;
    }
    for query in ["", "?status=active", &format!("?player_id={player}")] {
        case.get(&format!("/sessions{query}")).expect(200).await;
    }
    case.get("/combat/sessions").expect(200).await;
    let backends = backends(&mut database).await;
    assert!(backends.len() >= 2, "one writes, another reads");
    for backend in backends {
        let maps = fs::read_to_string(format!("/proc/{backend}/maps")).unwrap();
        assert!(maps.contains("postgres") && !maps.contains("llvmjit"), "the process {backend} has compiled a query");
    }
}
