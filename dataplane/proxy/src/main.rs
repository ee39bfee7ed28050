//! `meshnode-proxy`: starts the engine and ends it by signals; it may not talk to Consul nor read the environment.

mod flags;
mod start;

use std::process::ExitCode;

use flags::{Flags, Parsed};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong flags, as shells know it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let flags = match Flags::parse(std::env::args_os().skip(1)) {
        Ok(Parsed::Run(flags)) => flags,
        Ok(Parsed::Tell(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            eprintln!("meshnode-proxy: {sentence}\nTry meshnode-proxy --help.");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let Err(sentence) = start::run(&flags);
    eprintln!("meshnode-proxy: {sentence}");
    ExitCode::FAILURE
}
