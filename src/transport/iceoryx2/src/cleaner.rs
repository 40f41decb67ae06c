//! Removal of what dead participants left in a realm. Runs in a helper process only (see cleanup.h).

use iceoryx2::node::{DeadNodeView, Node, NodeDetails, NodeState, NodeView};
use iceoryx2::prelude::*;

use crate::abi::{Code, Failure, Outcome};
use crate::realm::{Realm, config_for};

pub struct Report {
    pub cleaned: u64,
    pub failed: u64,
}

pub fn clean(root: &str) -> Outcome<Report> {
    let config = config_for(root).map_err(|text| Failure::new(Code::Invalid, text))?;
    let mut dead = Vec::new();
    Node::<Realm>::list(&config, |state| {
        if let NodeState::Dead(view) = state {
            dead.push(*view.id());
        }
        CallbackProgression::Continue
    })
    .map_err(|e| {
        Failure::new(
            Code::Internal,
            format!("cannot list the participants of the realm: {e:?}"),
        )
    })?;

    let mut report = Report { cleaned: 0, failed: 0 };
    for id in dead {
        // The library would clean below the root path that it finds in the dead node's own file, which a hostile peer
        // can have written. Ours is the only one that is used.
        let details = NodeDetails::__internal_new(&None, &config);
        match DeadNodeView::<Realm>::__internal_try_remove_stale_resources(id, details) {
            Ok(()) => report.cleaned += 1,
            Err(_) => report.failed += 1,
        }
    }
    Ok(report)
}
