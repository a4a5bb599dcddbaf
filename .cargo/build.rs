//! How the released binary is linked: functions whose code is the same are kept once, and addresses that the loader has to mend take a bit
//! instead of 24 bytes. Together a tenth of the file.

fn main() {
    println!("cargo::rerun-if-changed=.cargo/build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|given| given == value);
    // elsewhere the linker need not be the one that comes with Rust, and others do not know these words
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all,-z,pack-relative-relocs");
    }
}
