"""An app whose jobs write their starts and ends to a journal that does not pass through the product."""
