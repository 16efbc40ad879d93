//! Whole clusters, through the front door: what is bound where, what is said, and what wakes whom.

mod asking;
mod audit;
mod devices;
mod fixture;
mod messages;
mod placing;
mod preempting;
mod properties;
mod queueing;
mod surveying;
mod volumes;
