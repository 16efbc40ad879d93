//! Binding step by step, after upstream's binder tables: each plan is carried out on a small world until nothing is left to do.

mod bound;
mod fixture;
mod unbound;
mod volumes;
