//! What codecs are told besides frames.

use crate::device::VideoDevice;
use crate::error::V4l2Error;
use crate::sys::{self, raw};

impl VideoDevice {
    /// Has a decoder decode what it was given and then end: its last frame is marked
    /// (`V4L2_BUF_FLAG_LAST`), or an empty one behind it.
    ///
    /// # Errors
    /// [`V4l2Error::Call`]; ENODEV when the device is gone.
    #[doc(alias = "VIDIOC_DECODER_CMD")]
    pub fn drain_decoder(&self) -> Result<(), V4l2Error> {
        sys::decoder_command(self.fd(), raw::V4L2_DEC_CMD_STOP)
            .map_err(self.failed("VIDIOC_DECODER_CMD", "have it finish"))
    }

    /// Has a stateless decoder give back the frame that it keeps for more of a picture
    /// (`V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF`).
    ///
    /// # Errors
    /// As [`VideoDevice::drain_decoder`].
    #[doc(alias = "V4L2_DEC_CMD_FLUSH")]
    pub fn flush_decoder(&self) -> Result<(), V4l2Error> {
        sys::decoder_command(self.fd(), raw::V4L2_DEC_CMD_FLUSH)
            .map_err(self.failed("VIDIOC_DECODER_CMD", "have it give a frame back"))
    }

    /// The same of an encoder.
    ///
    /// # Errors
    /// As [`VideoDevice::drain_decoder`].
    #[doc(alias = "VIDIOC_ENCODER_CMD")]
    pub fn drain_encoder(&self) -> Result<(), V4l2Error> {
        sys::encoder_command(self.fd(), raw::V4L2_ENC_CMD_STOP)
            .map_err(self.failed("VIDIOC_ENCODER_CMD", "have it finish"))
    }
}
