//! A controller at work against an API whose view lags as the test wants.

use api_record::Record;
use api_types::core::v1::{Event, Pod};
use base::time::{SystemClock, Time};

use super::super::{Note, Plan, Write, resource_of};
use super::*;
use crate::request::{Answer, Outcome};
use crate::view::{Publisher, channel};
use crate::{Body, BoxFuture, Feed, Request, Resource, Revision, Status, Verb};

/// Wants three pods.
struct Three;

impl Controller for Three {
    const NAME: &'static str = "three";
    type Key = ();

    fn wire(&self, wires: &mut Wires<()>) {
        wires.maps::<Pod>(|_, _| vec![()]);
    }

    fn plan(&self, (): &(), world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let there = world.all::<Pod>().filter(|pod| pod.metadata.name != "first").count();
        plan.stage((there..3).map(|_| {
            let mut pod = Pod::default();
            pod.metadata.generate_name = "p".into();
            let done = Note::normal(&pod, "Created", "Created pod: {name}");
            let failed = Note::warning(&pod, "Failed", "Error creating: {error}");
            Write::create(pod).telling(Some(done), Some(failed))
        }));
        plan
    }
}

#[derive(Default)]
struct Made {
    pods: Vec<Pod>,
    events: Vec<String>,
    failures: usize,
}

struct Fake {
    made: Mutex<Made>,
    view: RawView,
}

impl Fake {
    fn new(failures: usize) -> (Arc<Fake>, Publisher) {
        let (mut publisher, view) = channel();
        let mut first = Pod::default();
        first.metadata.name = "first".into();
        publisher.replace([Arc::new(first) as Arc<dyn Record>], Revision(10));
        (Arc::new(Fake { made: Mutex::new(Made { failures, ..Made::default() }), view }), publisher)
    }

    fn create(&self, resource: &Resource, object: Box<dyn Record>) -> Result<Arc<dyn Record>, Status> {
        let mut made = self.made.lock().expect("not poisoned");
        if resource == resource_of::<Event>() {
            let event: &Event = object.downcast_ref().expect("an event");
            made.events.push(event.message.clone());
            return Ok(Arc::from(object));
        }
        if made.failures > 0 {
            made.failures -= 1;
            return Err(Status::bad_request("not now"));
        }
        let mut pod: Pod = object.downcast_ref::<Pod>().cloned().expect("a pod");
        pod.metadata.name = format!("p{}", made.pods.len());
        pod.metadata.resource_version = (11 + made.pods.len()).to_string();
        made.pods.push(pod.clone());
        Ok(Arc::new(pod))
    }

    fn pods(&self) -> Vec<Pod> {
        self.made.lock().expect("not poisoned").pods.clone()
    }

    fn events(&self) -> Vec<String> {
        self.made.lock().expect("not poisoned").events.clone()
    }
}

impl Api for Fake {
    fn call<'a>(&'a self, who: &'a Caller, request: Request) -> BoxFuture<'a, Result<Answer, Status>> {
        assert_eq!(who.name, "system:serviceaccount:kube-system:three");
        Box::pin(async move {
            let (Verb::Create, Body::Object(object)) = (request.verb, request.body) else {
                return Err(Status::bad_request("only creates are expected"));
            };
            let object = self.create(&request.target.resource, object)?;
            Ok(Answer { outcome: Outcome::Object(object), created: true, warnings: Vec::new() })
        })
    }

    fn watch<'a>(&'a self, _: &'a Caller, _: Scope, _: Revision) -> BoxFuture<'a, Result<Feed, Status>> {
        Box::pin(async { Err(Status::bad_request("views do the watching")) })
    }

    fn view<'a>(&'a self, who: &'a Caller, _: Scope) -> BoxFuture<'a, Result<RawView, Status>> {
        assert_eq!(who.name, "system:kube-controller-manager");
        Box::pin(async { Ok(self.view.clone()) })
    }
}

/// Lets everything that can happen without time passing happen.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn show(publisher: &mut Publisher, pod: &Pod) {
    let revision = pod.metadata.resource_version.parse().expect("a number");
    publisher.put(Arc::new(pod.clone()));
    publisher.advance(Revision(revision));
}

#[tokio::test]
async fn a_lagging_view_does_not_make_anything_happen_twice() {
    let (api, mut publisher) = Fake::new(0);
    let inspector = Arc::new(Inspector::default());
    let deps = Deps {
        api: api.clone(),
        clock: Arc::new(SystemClock),
        tasks: Tasks::default(),
        inspector: Arc::clone(&inspector),
    };
    let (signal, watch) = drain::channel();
    let running = tokio::spawn(run(Three, deps, watch));
    settle().await;
    assert_eq!(api.pods().len(), 3);
    assert_eq!(inspector.explain("three").map(|it| it.withheld), Some(1));
    for pod in api.pods() {
        show(&mut publisher, &pod);
        settle().await;
        assert_eq!(api.pods().len(), 3, "planned on a view that does not show all of its writes");
    }
    let explained = inspector.explain("three").expect("it runs");
    assert_eq!((explained.withheld, explained.running), (0, 0));
    assert_eq!(&*explained.runs["()"].why, "pods /p0");
    assert_eq!(api.events(), ["Created pod: p0", "Created pod: p1", "Created pod: p2"]);
    signal.drain().await;
    running.await.expect("it ends");
}

/// A clock on which waiting takes no time.
#[derive(Clone, Default)]
struct Leaping(Arc<Mutex<Time>>);

impl Clock for Leaping {
    fn now(&self) -> Time {
        *self.0.lock().expect("not poisoned")
    }

    fn sleep(&self, duration: std::time::Duration) -> base::time::Sleep {
        let time = Arc::clone(&self.0);
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut time = time.lock().expect("not poisoned");
            *time = *time + duration;
        })
    }
}

#[tokio::test]
async fn a_failure_stops_the_batches_and_is_tried_again() {
    let (api, _publisher) = Fake::new(2);
    let deps = Deps {
        api: api.clone(),
        clock: Arc::new(Leaping::default()),
        tasks: Tasks::default(),
        inspector: Arc::default(),
    };
    let (signal, watch) = drain::channel();
    let running = tokio::spawn(run(Three, deps, watch));
    while api.pods().len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        api.events()[..2],
        ["Error creating: not now", "Created pod: p0"],
        "the second failure is only counted"
    );
    signal.drain().await;
    running.await.expect("it ends");
}

#[tokio::test]
async fn a_change_is_seen_that_comes_between_the_first_look_and_the_first_wait() {
    let (api, mut publisher) = Fake::new(0);
    publisher.replace([], Revision(10));
    let deps = Deps {
        api: api.clone(),
        clock: Arc::new(SystemClock),
        tasks: Tasks::default(),
        inspector: Arc::default(),
    };
    let (signal, watch) = drain::channel();
    let running = tokio::spawn(run(Three, deps, watch));
    // Before anything that the controller spawns has its turn.
    let publishing = tokio::spawn(async move {
        let mut pod = Pod::default();
        pod.metadata.name = "first".into();
        pod.metadata.resource_version = "11".into();
        show(&mut publisher, &pod);
        publisher
    });
    settle().await;
    assert_eq!(api.pods().len(), 3);
    signal.drain().await;
    running.await.expect("it ends");
    drop(publishing.await.expect("it ends"));
}
