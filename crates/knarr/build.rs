//! Tells the linker to fold functions of a release that are the same machine code: there are many, for most of what is generated for
//! one type of the API is what is generated for another. Rust promises no function an address of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
