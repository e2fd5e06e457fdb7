"""People from MakeHuman's assets, photographed and drawn."""
