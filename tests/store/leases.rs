//! Leases are held by one.

use std::time::Duration;

use super::scenario::*;
use crate::support::databases;

#[tokio::test]
async fn a_lease_has_one_holder_until_its_time_is_over() {
    let ttl = Duration::from_secs(60);
    for test in databases().await {
        let store = store(&test).await;
        assert_eq!(store.lease("leader").await.expect(test.name), None);
        assert!(
            store
                .acquire_lease("leader", "a", ttl, at(0))
                .await
                .expect(test.name)
        );
        assert!(
            !store
                .acquire_lease("leader", "b", ttl, at(0))
                .await
                .expect(test.name)
        );
        assert!(
            store
                .acquire_lease("leader", "a", ttl, at(0))
                .await
                .expect("again")
        );
        assert!(
            store
                .acquire_lease("leader", "b", ttl, at(1))
                .await
                .expect("over")
        );
        assert!(
            !store
                .renew_lease("leader", "a", ttl, at(1))
                .await
                .expect("lost")
        );
        assert!(
            store
                .renew_lease("leader", "b", ttl, at(2))
                .await
                .expect("kept")
        );
        let lease = store
            .lease("leader")
            .await
            .expect(test.name)
            .expect("taken");
        assert_eq!((lease.owner.as_str(), lease.expires_at), ("b", at(3)));
        assert!(
            !store
                .release_lease("leader", "a")
                .await
                .expect("not its own")
        );
        assert!(store.release_lease("leader", "b").await.expect(test.name));
        assert!(
            store
                .acquire_lease("leader", "a", ttl, at(2))
                .await
                .expect("free")
        );
    }
}
