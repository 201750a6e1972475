"""Running the shop's cases against its versions, and telling which elements their steps acted on."""
