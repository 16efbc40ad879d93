//! Any text as a quantity: an error or an amount that can be written, read, compared and added to itself.
#![no_main]

use api_record::scalar::Quantity;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(quantity) = text.parse::<Quantity>() {
        let again: Quantity = quantity.to_string().parse().expect("what was written is read");
        assert_eq!(again, quantity);
        let mut sum = quantity.clone();
        sum.add(&again);
        let _ = (sum.to_string(), sum.units(), sum.millis());
        sum.subtract(&again);
        assert_eq!(sum, quantity);
    }
});
