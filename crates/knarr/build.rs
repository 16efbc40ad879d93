//! Tells the linker to fold functions of a release that are the same machine code: there are many, for most of what is generated for
//! one type of the API is what is generated for another. Rust promises no function an address of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // Where rustc links with its own LLD; other linkers do not know the option.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_ARCH", "x86_64") && is("CARGO_CFG_TARGET_OS", "linux")
    {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
