"""All that runs inside. Imports only the standard library, numpy, torch, and itself, relatively."""
