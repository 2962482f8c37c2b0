//! `profile_tier_level()` (7.3.3), of which nothing is needed here.

use crate::bits::BitReader;
use crate::error::StreamError;

pub(super) fn skip_profile_tier_level(
    bits: &mut BitReader<'_>,
    max_sub_layers_minus1: u8,
) -> Result<(), StreamError> {
    bits.skip(88, "general_profile_tier")?;
    bits.skip(8, "general_level_idc")?;
    let mut told = [(false, false); 7];
    let told = &mut told[..usize::from(max_sub_layers_minus1.min(7))];
    for (profile, level) in told.iter_mut() {
        *profile = bits.flag("sub_layer_profile_present_flag")?;
        *level = bits.flag("sub_layer_level_present_flag")?;
    }
    if max_sub_layers_minus1 > 0 {
        for _layer in max_sub_layers_minus1..8 {
            bits.skip(2, "reserved_zero_2bits")?;
        }
    }
    for (profile, level) in told.iter() {
        if *profile {
            bits.skip(88, "sub_layer_profile_tier")?;
        }
        if *level {
            bits.skip(8, "sub_layer_level_idc")?;
        }
    }
    Ok(())
}
