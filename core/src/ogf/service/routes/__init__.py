"""The routes, one module for each thing that can be asked about. They parse requests and shape answers, no more."""
