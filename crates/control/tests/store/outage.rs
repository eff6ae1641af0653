//! Engines that are away, read-only, busy or newer, while decisions go on.

use evenkeel_control::store::{Class, Ingester, Pass, Place, Store};
use jiff::SignedDuration;
use sqlx::Connection as _;

use crate::kit::{Kit, id, now, with_each};

#[test]
fn sto_2_a_postgresql_that_is_stopped_read_only_and_back_has_every_row_once() {
    let Some(mut kit) = Kit::postgres("outage") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut ingester = kit.ingester();
    kit.decisions("i1", 1, 501, 100);
    runtime.block_on(kit.read(&mut ingester)).expect("read");

    kit.server.as_mut().expect("a server").kill();
    for round in 0..3 {
        kit.decisions("i1", 501 + round * 700, 1_201 + round * 700, 100);
        let fault = runtime.block_on(ingester.pass(now())).expect_err("nobody listens");
        assert!(matches!(fault.class, Class::Connect | Class::Broken), "{fault:?}");
        let state = kit.store.state();
        assert_eq!(
            (state.state.as_str(), state.behind_n),
            ("away", 601 + round * 700),
            "the newest segment counts one"
        );
        let asked = runtime.block_on(kit.store.find("01KB")).expect_err("nobody listens");
        assert!(!asked.to_string().contains(crate::server::PASSWORD), "STO-5: {asked}");
    }

    kit.server.as_mut().expect("a server").spawn();
    let set = |it: &str| {
        let server = kit.server.as_ref().expect("a server");
        server.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {it}; SELECT pg_reload_conf()"));
        let shown = || (server.sql("SHOW default_transaction_read_only") == it).then_some(());
        crate::process::until("read-only", shown);
    };
    set("on");
    let fault = runtime.block_on(ingester.pass(now())).expect_err("it is read-only");
    assert_eq!((fault.class, kit.store.state().last_error.as_deref()), (Class::ReadOnly, Some("read_only")));
    set("off");
    runtime.block_on(kit.read(&mut ingester)).expect("it is back");
    assert_eq!(kit.store.state().state, "current");
    let expected: Vec<_> = (1..2_601).map(|n| id("i1", n)).collect();
    assert_eq!(runtime.block_on(kit.ids()), expected);
    let counted =
        kit.server.as_ref().expect("a server").sql("SELECT count(*), count(DISTINCT n), max(n) FROM decisions");
    assert_eq!(counted, "2600|2600|2600");
}

#[tokio::test]
async fn sto_2_a_file_that_cannot_be_written_is_named_by_its_class() {
    let kit = Kit::sqlite();
    kit.decisions("i1", 1, 11, 10);
    kit.read(&mut kit.ingester()).await.expect("read");
    kit.decisions("i1", 11, 21, 10);
    let file = kit.place.path().expect("a file").to_owned();
    let tried = async |place: Place| {
        let store = Store::new(&place, now());
        let mut ingester = Ingester::new(store.clone(), kit.folder.path().into(), SignedDuration::from_hours(1));
        let fault = ingester.pass(now()).await.expect_err("it cannot be written");
        assert_eq!((store.state().state.as_str(), store.state().behind_n > 0), ("away", true), "{fault:?}");
        fault.class
    };
    assert_eq!(tried(Place::file_to_read(file.clone())).await, Class::ReadOnly);
    assert_eq!(tried(Place::file(kit.folder.path().join("no/such/folder.db"))).await, Class::Absent);
    let text = kit.folder.path().join("text.db");
    std::fs::write(&text, "This is a letter, and no database at all, as anybody can see. ".repeat(100))
        .expect("written");
    assert_eq!(tried(Place::file(text)).await, Class::Corrupt);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut writer = sqlx::SqliteConnection::connect_with(&options).await.expect("opened");
    sqlx::query("BEGIN IMMEDIATE").execute(&mut writer).await.expect("begun");
    assert_eq!(tried(Place::file(file)).await, Class::Busy);
    sqlx::query("ROLLBACK").execute(&mut writer).await.expect("ended");
    assert_eq!(kit.ingester().pass(now()).await, Ok(Pass::Read(10)), "and nothing was lost");
    assert_eq!(kit.ids().await.len(), 20);
}

#[test]
fn tables_of_this_version_are_taken_as_they_are_and_those_of_a_newer_one_are_not_touched() {
    with_each("migrations", async |kit: &mut Kit| {
        kit.decisions("i1", 1, 11, 10);
        kit.read(&mut kit.ingester()).await.expect("read");
        kit.decisions("i1", 11, 21, 10);
        kit.read(&mut kit.ingester()).await.expect("a second process finds the tables");
        assert_eq!(kit.ids().await.len(), 20);
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (900, 'x', true, '', 0)";
        kit.sql(newer).await;
        let fault = kit.ingester().pass(now()).await.expect_err("it is newer");
        assert_eq!(fault.class, Class::Newer, "{fault}");
        assert_eq!(kit.ids().await.len(), 20, "it is read all the same");
    });
}

#[test]
fn sto_2_a_postgresql_that_hangs_is_given_up_in_time_and_has_every_row_once_afterwards() {
    let Some(kit) = Kit::postgres("hangs") else { return };
    let server = kit.server.as_ref().expect("a server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut ingester = kit.ingester();
        kit.decisions("i1", 1, 101, 50);
        kit.read(&mut ingester).await.expect("read");
        server.signal("STOP");
        kit.decisions("i1", 101, 201, 50);
        // Nothing but the clock can end what waits for it, so the clock goes on at once.
        tokio::time::pause();
        let fault = ingester.pass(now()).await.expect_err("it hangs");
        assert_eq!((fault.class, kit.store.state().last_error.as_deref()), (Class::Late, Some("late")));
        assert_eq!(kit.store.find("01KB").await.expect_err("it hangs").class, Class::Late);
        tokio::time::resume();
        server.signal("CONT");
        kit.read(&mut ingester).await.expect("it goes on");
        let expected: Vec<_> = (1..201).map(|n| id("i1", n)).collect();
        assert_eq!(kit.ids().await, expected);
    });
}

#[test]
fn a_question_over_connections_that_a_postgresql_has_closed_is_asked_over_another() {
    let Some(kit) = Kit::postgres("closed") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut ingester = kit.ingester();
    kit.decisions("i1", 1, 11, 10);
    runtime.block_on(kit.read(&mut ingester)).expect("read");
    let server = kit.server.as_ref().expect("a server");
    let others = "FROM pg_stat_activity WHERE application_name = 'evenkeel'";
    // As when it was started again: whoever asks next hears 57P01.
    server.sql(&format!("SELECT pg_terminate_backend(pid) {others}"));
    crate::process::until("their end", || (server.sql(&format!("SELECT count(*) {others}")) == "0").then_some(()));
    let found = runtime.block_on(kit.store.find(&id("i1", 1)));
    assert!(found.is_ok_and(|it| it.is_some()), "it is asked again");
}
