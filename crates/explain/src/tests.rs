//! Objects in, answers out.

mod fixture;
mod pending;
mod pods;
mod rest;
mod volumes;
mod workloads;
