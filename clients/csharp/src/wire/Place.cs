namespace Tiltyard
{
    /// <summary>A place on the field in centimetres, and which way one who stands there faces.</summary>
    public struct Place
    {
        public Place(double x, double y, double f)
        {
            X = x;
            Y = y;
            F = f;
        }

        public double X { get; private set; }
        public double Y { get; private set; }

        /// <summary>Degrees: 0 is +x, 90 is +y.</summary>
        public double F { get; private set; }
    }
}
