use catamaran::Config;
use gathering::{migrate, seed};

use crate::site::Site;

const COUNTS: &str = "
    SELECT concat_ws(' ', (SELECT count(*) FROM agent.providers), (SELECT count(*) FROM agent.models),
        (SELECT count(*) FROM agent.agents), (SELECT count(*) FROM communication.chat_history),
        (SELECT count(*) FROM circle.circles), (SELECT count(*) FROM circle.members),
        (SELECT count(*) FROM circle.tasks))";

#[tokio::test]
async fn once_more_changes_nothing() {
    let site = Site::new();
    let config = Config::from_url(&site.database.url()).unwrap();
    assert_eq!(site.text(COUNTS), "8 7 5 1201 3 5 4");
    for _ in 0..2 {
        migrate(&config).await.unwrap();
        seed(&config).await.unwrap();
    }
    assert_eq!(site.text(COUNTS), "8 7 5 1201 3 5 4");
    assert_eq!(site.text("SELECT count(*)::text FROM refinery_schema_history"), "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_wait_for_each_other() {
    let database = catamaran_testkit::shared().unwrap().database().unwrap();
    let config = Config::from_url(&database.url()).unwrap();
    let instances = (0..4).map(|_| async {
        migrate(&config).await?;
        seed(&config).await
    });
    for result in futures_util::future::join_all(instances).await {
        result.unwrap();
    }
    assert_eq!(database.texts(COUNTS).unwrap(), [Some("8 7 5 1201 3 5 4".into())]);
    assert_eq!(database.backend_pids().unwrap(), [0i32; 0], "no connection is left open");
}

#[tokio::test]
async fn a_history_that_differs_is_refused() {
    let site = Site::new();
    site.database.execute("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 2").unwrap();
    let config = Config::from_url(&site.database.url()).unwrap();
    let error = migrate(&config).await.unwrap_err().to_string();
    assert!(error.contains("V2__communication"), "{error}");
}
