//! Somebody who writes what webhooks judge, and looks at what is said of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::ConfigMap;
use client::Status;
use serde_json::json;

use super::requests::{Hand, object};
use super::user::hand;
use crate::dice::Dice;
use crate::webhook::SPACE;
use crate::world::World;

/// How often something is written.
const ATTEMPTS: usize = 14;

/// Writes until faults are over, or it has written enough.
pub async fn work(world: Arc<World>) {
    let (hand, dice) = (hand(&world, "guarded"), world.dice.fork("guarded"));
    for attempt in 0..ATTEMPTS {
        world.executor.sleep(dice.millis(100, 4_000)).await;
        if !world.is_faulty() {
            return;
        }
        let (policy, wish) = (*dice.pick(&["Fail", "Ignore"]), *dice.pick(&["allow", "allow", "deny"]));
        let written = write(&hand, &dice, attempt, policy, wish).await;
        world.tell(|| format!("attempt {attempt} of {policy} to {wish}: {written:?}"));
        if let Err(what) = judge(policy, wish, &written) {
            world.violate(format!("webhooks: attempt {attempt} of {policy} to {wish}: {what}"));
        }
    }
}

/// Makes an object, or changes the one that is there.
async fn write(hand: &Hand, dice: &Dice, attempt: usize, policy: &str, wish: &str) -> Result<(), Status> {
    // A selector looks at the old object, too, which must be of the same policy.
    let name = format!("{}-{}", policy.to_lowercase(), dice.below(2));
    let data = BTreeMap::from([("attempt", attempt.to_string()), ("wish", wish.to_owned())]);
    let wanted: ConfigMap = object(&json!({
        "metadata": {"name": name, "namespace": SPACE, "labels": {"policy": policy}}, "data": data,
    }));
    match hand.get::<ConfigMap>(SPACE, &name).await {
        Ok(there) => {
            let mut new = wanted;
            new.metadata.resource_version = there.metadata.resource_version;
            hand.update(new, "").await.map(drop)
        }
        Err(status) if status.is_not_found() => hand.create(wanted).await.map(drop),
        Err(status) => Err(status),
    }
}

/// What cannot have been answered.
fn judge(policy: &str, wish: &str, written: &Result<(), Status>) -> Result<(), String> {
    match written {
        Ok(()) if (policy, wish) == ("Fail", "deny") => Err("it was taken".to_owned()),
        Err(status) if status.message.contains("failed calling webhook") && policy == "Ignore" => {
            Err(format!("it failed where it may: {}", status.message))
        }
        Err(status) if status.message.contains("denied the request") && wish != "deny" => {
            Err(format!("it was refused: {}", status.message))
        }
        _ => Ok(()),
    }
}
