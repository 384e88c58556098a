"""`otabridge demo`: the whole way of a release on one machine, through the product's own parts."""
