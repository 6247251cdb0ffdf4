using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Tiltyard.Tests")]
